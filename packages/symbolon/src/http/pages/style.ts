// The look of the pages: tokens first, then the few parts there are. An operator's brand changes accent, logo and radius.

import { inkOn } from '#messages'

/** The style sheet; `accent` and `radius` were checked when the options were read. */
export function styleSheet(brand: { readonly accent?: string | undefined; readonly radius?: number | undefined }): string {
  const { accent } = brand
  const ink = accent === undefined ? '#ffffff' : inkOn(accent)
  return `:root{color-scheme:light dark;--ink:#1b1a17;--paper:#faf8f4;--card:#fffefb;--line:#e4dfd5;--muted:#6b665c;--accent:${accent ?? '#1f5f5b'};--accent-ink:${ink};--refuse:#a3262a;--live:#1f5f5b;--radius:${brand.radius ?? 10}px}
@media (prefers-color-scheme:dark){:root{--ink:#f1ede4;--paper:#161512;--card:#1d1b17;--line:#34312a;--muted:#a8a296;--accent:${accent === undefined ? '#6cc3bb' : accent};--accent-ink:${accent === undefined ? '#0d1b1a' : ink};--refuse:#ff8a85;--live:#6cc3bb}}
*{box-sizing:border-box}
html{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;background:var(--paper);color:var(--ink);-webkit-text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column}
main{flex:1;display:flex;flex-direction:column;align-items:center;justify-content:center;padding:24px 16px 12vh}
main.wide{justify-content:flex-start;padding-top:64px}
.card{width:100%;max-width:400px;background:var(--card);border:1px solid var(--line);border-radius:calc(var(--radius) + 4px);padding:40px 32px 32px;box-shadow:0 12px 40px -24px rgb(27 26 23 / .35)}
.wide .card{max-width:640px}
.card>:last-child{margin-bottom:0}
@media (max-width:420px){.card{padding:32px 20px 24px}}
.mark{display:block;overflow:visible;width:44px;height:44px;margin-bottom:24px}
.mark path{fill:none;stroke:var(--accent);stroke-width:3;stroke-linejoin:round}
.mark .left,.mark .right{transition:transform 200ms ease-out}
.apart .left{transform:translateX(-2.5px)}.apart .right{transform:translateX(2.5px)}
.logo{display:block;max-height:44px;max-width:200px;margin-bottom:24px}
h1{font-size:24px;line-height:1.25;font-weight:650;margin:0 0 8px;letter-spacing:-.01em}
h2{font-size:15px;font-weight:600;margin:40px 0 8px}
p{margin:0 0 16px}.lead,.hint{color:var(--muted)}.hint{font-size:13px}
form{margin:0}
label{display:block;font-weight:600;margin:24px 0 8px}
input[type=email],input.code{width:100%;font:inherit;font-size:18px;color:inherit;background:var(--paper);border:1px solid var(--muted);border-radius:var(--radius);padding:12px 14px}
input.code{font-family:ui-monospace,SFMono-Regular,Menlo,monospace;font-size:34px;letter-spacing:.24em;text-align:center;padding:10px 0 10px .24em;font-variant-numeric:tabular-nums}
input[aria-invalid=true]{border-color:var(--refuse)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.problem{min-height:24px;margin:8px 0 0;color:var(--refuse);font-size:13px}.problem[tabindex]:empty{min-height:0;margin:0}
button{font:inherit;cursor:pointer}
.primary{width:100%;font-weight:600;font-size:15px;color:var(--accent-ink);background:var(--accent);border:1px solid var(--accent);border-radius:var(--radius);padding:12px 16px;min-height:48px;margin-top:8px}
.quiet,.quiet-link{color:var(--accent);background:none;border:0;padding:8px 0;text-decoration:underline;text-underline-offset:3px;min-height:40px;font-size:15px}
.quiet-link{display:inline-block}
.quiet[disabled]{color:var(--muted);text-decoration:none;cursor:default}
.row{display:flex;flex-wrap:wrap;gap:4px 24px;margin-top:16px;justify-content:space-between}
.who{overflow-wrap:anywhere}
.facts{display:grid;grid-template-columns:auto 1fr;gap:4px 16px;margin:16px 0 0;padding:12px 0;border:1px solid var(--line);border-width:1px 0}
.facts dt{color:var(--muted)}.facts dd{margin:0;min-width:0}
form+.hint{margin-top:16px}
.dev{margin-top:24px;padding-top:16px;border-top:1px solid var(--line);font-size:13px;color:var(--muted)}
.dev a,.plain a,.mail a{color:var(--accent);display:inline-block;padding:3px 0}
section.act{border:1px solid var(--line);border-radius:var(--radius);padding:16px;margin:0 0 16px;overflow-wrap:anywhere}
section.act h2{margin:0 0 8px;font-size:13px;color:var(--muted)}
section.act p{margin:0;font-size:18px;font-weight:600}
section.act dl{margin:12px 0 0;display:grid;gap:4px;border-top:1px solid var(--line);padding-top:12px}
section.act dl div{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 16px}
section.act dt{color:var(--muted)}section.act dd{margin:0;font-variant-numeric:tabular-nums}
ul.devices{list-style:none;padding:0;margin:0;border-top:1px solid var(--line)}
ul.devices li{display:flex;align-items:center;gap:12px 16px;flex-wrap:wrap;justify-content:space-between;border-bottom:1px solid var(--line);padding:16px 0}
ul.devices li>div{flex:1 1 260px;min-width:0}
ul.devices b{font-weight:600;display:block}
ul.devices .about{color:var(--muted);font-size:13px;overflow-wrap:anywhere}
ul.activity{list-style:none;padding:0;margin:0;border-top:1px solid var(--line)}
ul.activity li{border-bottom:1px solid var(--line);padding:8px 0}
ul.activity b{font-weight:600;display:block}
ul.activity .about{color:var(--muted);font-size:13px;overflow-wrap:anywhere}
.dot{display:inline-block;width:9px;height:9px;border-radius:50%;background:var(--live);margin-right:8px}
.dot.open{background:none;border:2px solid var(--muted)}
.outline{color:var(--ink);background:none;border:1px solid var(--muted);border-radius:var(--radius);padding:8px 14px;min-height:40px}
.full{width:100%;min-height:48px;font-weight:600;font-size:15px}button+.full{margin-top:12px}
.or{display:flex;align-items:center;gap:12px;margin:16px 0;color:var(--muted);font-size:13px}.or::before,.or::after{content:"";flex:1;border-top:1px solid var(--line)}
form[hidden],button[hidden],ul[hidden]{display:none}
@media (scripting:enabled){form[data-passkey][hidden]{display:block;visibility:hidden}}
[data-passkey] ul.devices li{justify-content:flex-start;gap:0 24px}[data-passkey] ul.devices li>div{flex-basis:100%}details.inline{margin:0}details.inline[open]{flex-basis:100%}details.inline label{margin-top:0}
input.text{width:100%;font:inherit;color:inherit;background:var(--paper);border:1px solid var(--muted);border-radius:var(--radius);padding:8px 12px;margin-bottom:8px}
.danger{color:var(--refuse);border-color:var(--refuse)}
details{margin-top:24px}summary{cursor:pointer;color:var(--accent);padding:8px 0}
details[open] summary{margin-bottom:8px}
.mail{border-top:1px solid var(--line);padding:16px 0;display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline;justify-content:space-between}
.mail .big{font:600 24px/1.2 ui-monospace,SFMono-Regular,Menlo,monospace;letter-spacing:.16em;font-variant-numeric:tabular-nums}
.mail .about{flex-basis:100%;color:var(--muted);font-size:13px;overflow-wrap:anywhere}
pre.mail-text{white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,monospace;border:1px solid var(--line);border-radius:var(--radius);padding:16px;margin:0 0 24px}
iframe.mail-html{display:block;width:100%;height:520px;border:1px solid var(--line);border-radius:var(--radius);background:#fff}
footer{padding:16px;text-align:center;font-size:13px;color:var(--muted)}
form[aria-busy] button{cursor:progress}
@media (forced-colors:active){.dot:not(.open){forced-color-adjust:none;background:CanvasText}.mark path{stroke:CanvasText}}
@media (prefers-reduced-motion:reduce){*{transition:none!important}}
`
}

/** The script of the pages: lets a form that is on its way not go twice (whoever presses Enter as well would use a code up), submits a complete code, counts down to the next one. Everything works without it. */
export const pageScript = `(()=>{
const free=(form)=>form.removeAttribute('aria-busy')
document.addEventListener('submit',(event)=>{const form=event.target
if(form.hasAttribute('aria-busy'))return event.preventDefault()
form.setAttribute('aria-busy','true');setTimeout(free,10000,form)})
addEventListener('pageshow',()=>document.querySelectorAll('form[aria-busy]').forEach(free))
const code=document.querySelector('input.code')
if(code)code.addEventListener('input',()=>{const digits=code.value.replace(/\\D/g,'');if(digits.length===6&&!code.form.hasAttribute('aria-busy')){code.value=digits;code.form.requestSubmit()}})
for(const button of document.querySelectorAll('button[data-until]')){
const text=button.textContent,waiting=button.dataset.waiting,until=Date.now()+Number(button.dataset.until)*1000
const tick=()=>{const left=Math.ceil((until-Date.now())/1000);if(left>0){button.disabled=true;button.textContent=waiting.replace('{s}',left);setTimeout(tick,500)}else{button.disabled=false;button.textContent=text}}
tick()}
for(const time of document.querySelectorAll('time[datetime]')){time.textContent=new Date(time.dateTime).toLocaleString(document.documentElement.lang,{dateStyle:'medium',timeStyle:'short'})}
for(const form of document.querySelectorAll('form[data-work]')){
const zeros=Number(form.dataset.bits),encoder=new TextEncoder(),field=form.elements.captcha
const work=async()=>{for(let n=0;;n++){const answer=form.dataset.work+'.'+n,hash=new DataView(await crypto.subtle.digest('SHA-256',encoder.encode(answer)));if(hash.getUint32(0)>>>(32-zeros)===0)return answer}}
const done=work()
form.addEventListener('submit',async(event)=>{if(field.value||form.hasAttribute('aria-busy'))return
event.preventDefault();event.stopPropagation();form.setAttribute('aria-busy','true');field.value=await done;setTimeout(()=>{free(form);form.requestSubmit()})})}
if(document.body.dataset.reload){setTimeout(()=>location.reload(),Number(document.body.dataset.reload)*1000)}
})()
`
