// `node scripts/pictures.mjs`: photographs every hosted page, light and dark, into docs/images, as docs/pages.md shows them.
// It starts a development service of its own, in a directory that is gone afterwards, and goes through it in a real browser.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { build, browser as findBrowser, install, root } from './bootstrap.mjs'
import { smaller } from './png.mjs'

/** A picture must not weigh more, in bytes. */
const heaviest = 50_000
const email = 'ada@example.com'
const devices = {
  desk: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  phone:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  tablet: 'Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
}
const transfer = { type: 'transfer', text: 'Pay 20 € to Bob', parameters: { to: 'Bob', amount: '20.00 EUR' } }

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/** Starts a service with an application, some that want or offer a passkey as well, and room for two sessions. */
async function startService(folder) {
  const config = join(folder, 'symbolon.config.jsonc')
  const clients = [
    { id: 'app', name: 'Acme' },
    { id: 'vault', name: 'Acme Vault', policy: { acr: 'urn:symbolon:acr:passkey', maxSessions: 9 } },
    { id: 'firm', name: 'Acme Firm', policy: { acr: 'urn:symbolon:acr:passkey', enrol: 'required' } },
    { id: 'shop', name: 'Acme Shop', policy: { enrol: 'offered' } },
  ]
  writeFileSync(config, JSON.stringify({ clients, session: { max: 2, onLimit: 'ask' } }))
  const [port, admin] = [await freePort(), await freePort()]
  const env = { PATH: process.env.PATH, SYMBOLON_PORT: `${port}`, SYMBOLON_ADMIN_PORT: `${admin}`, SYMBOLON_DATA: join(folder, 'data') }
  const args = [join(root, 'packages/symbolon/dist/cli/main.js'), 'serve', '--dev', '--config', config]
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-2000)
  })
  const origin = `http://localhost:${port}`
  const answers = () =>
    fetch(`${origin}/readyz`).then(
      (response) => response.ok,
      () => false,
    )
  for (let tries = 0; !(await answers()); tries++) {
    if (tries > 200 || child.exitCode !== null) throw new Error(`The service does not start: ${said}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const stop = () =>
    new Promise((resolve) => {
      child.once('exit', resolve)
      if (!child.kill()) resolve()
    })
  return { origin, stop }
}

/** Goes through every page in one colour scheme. */
async function photograph(chrome, origin, colorScheme, folder) {
  const open = async (userAgent, { width = 520, scale = 1.5 } = {}) => {
    const context = await chrome.newContext({ colorScheme, userAgent, deviceScaleFactor: scale, viewport: { width, height: 560 } })
    return context.newPage()
  }
  const shoot = async (page, name, scale = 'device') => {
    await page.waitForLoadState('networkidle')
    await page.evaluate(() => document.activeElement?.blur())
    const bytes = smaller(await page.screenshot({ fullPage: true, animations: 'disabled', scale }))
    process.stdout.write(`${name}-${colorScheme}.png ${bytes.length}\n`)
    if (bytes.length > heaviest) throw new Error(`${name} weighs ${bytes.length} bytes; ${heaviest} are the most.`)
    writeFileSync(join(folder, `${name}-${colorScheme}.png`), bytes)
  }
  const mails = async () => (await fetch(`${origin}/dev/outbox`)).json()
  const lastCode = async () => (await mails()).findLast(({ text }) => /^ +\d{6}$/m.test(text))
  const code = async () => /^ +(\d{6})$/m.exec((await lastCode()).text)[1]
  const ask = async (page, query = '', as = email) => {
    await page.goto(`${origin}/login${query}`)
    await page.fill('#identifier', as)
    await page.click('form[action="/login"] button.primary')
    await page.waitForSelector('#code')
  }

  const desk = await open(devices.desk)
  const cdp = await desk.context().newCDPSession(desk)
  await cdp.send('WebAuthn.enable', { enableUI: false })
  const key = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true }
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { ...key, automaticPresenceSimulation: false, defaultBackupEligibility: true, defaultBackupState: true },
  })
  const answers = (enabled) => cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled })

  await desk.goto(`${origin}/login`)
  await desk.waitForSelector('form[data-passkey]:not([hidden])')
  await shoot(desk, 'sign-in')
  await ask(desk)
  await shoot(desk, 'code')
  const phone = await open(devices.phone)
  const link = /^http\S+\/login\/link\S+/m.exec((await lastCode()).text)[0]
  await phone.goto(link)
  await shoot(phone, 'link')
  const tab = await desk.context().newPage()
  await tab.goto(link)
  await shoot(tab, 'link-here')
  await tab.close()
  const right = await code()
  await desk.fill('#code', right === '000000' ? '000001' : '000000')
  await desk.waitForSelector('#problem:not(:empty)')
  await shoot(desk, 'wrong-code')
  await desk.fill('#code', await code())
  await desk.waitForURL(`${origin}/account`)
  await ask(phone)
  await phone.fill('#code', await code())
  await phone.waitForURL(`${origin}/account`)

  const tablet = await open(devices.tablet)
  await ask(tablet)
  await tablet.fill('#code', await code())
  await tablet.waitForSelector('ul.devices')
  await shoot(tablet, 'limit')

  await answers(true)
  await desk.goto(`${origin}/account`)
  await desk.click('button[data-passkey="add"]')
  await desk.waitForSelector('[data-passkey="account"] ul.devices li')
  await answers(false)
  // A long page: at one pixel each, or it would weigh too much.
  await shoot(desk, 'account', 'css')
  await desk.setViewportSize({ width: 320, height: 560 })
  await shoot(desk, 'account-narrow', 'css')
  await desk.setViewportSize({ width: 520, height: 560 })
  await desk.goto(`${origin}/login?step_up=1&max_age=0&return_to=/account&action=${encodeURIComponent(JSON.stringify(transfer))}`)
  await shoot(desk, 'step-up')
  await desk.click('button[value="email_otp"]')
  await desk.waitForSelector('#code')
  await shoot(desk, 'step-up-code')
  await ask(tablet, '?client_id=vault')
  await tablet.fill('#code', await code())
  await tablet.waitForSelector('form[data-passkey]:not([hidden])')
  await shoot(tablet, 'passkey')
  await phone.goto(`${origin}/account`)
  await phone.click('ul.devices li:has(.dot:not(.open)) form button')
  await phone.waitForSelector('.plain a')
  await shoot(phone, 'signed-out')
  await phone.goto(`${origin}/login?return_to=https://elsewhere.example/`)
  await shoot(phone, 'error')

  const laptop = await open(devices.desk)
  await ask(laptop, '?client_id=firm', 'bob@example.com')
  await laptop.fill('#code', await code())
  await laptop.waitForSelector('form[data-passkey="enrol"]:not([hidden])')
  await shoot(laptop, 'enrol')
  await ask(laptop, '?client_id=shop', 'carol@example.com')
  await laptop.fill('#code', await code())
  await laptop.waitForURL('**/login/offer*')
  await shoot(laptop, 'offer')
  await laptop.goto(`${origin}/account`)
  await laptop.click('details:has(form[action="/account/email"]) summary')
  await laptop.fill('#email', 'caroline@example.com')
  await laptop.click('form[action="/account/email"] button')
  await laptop.waitForSelector('#code')
  await shoot(laptop, 'address')
  const old = (await mails()).length
  await laptop.fill('#code', await code())
  await laptop.waitForURL('**/account#address')
  const undo = /^http\S+\/account\/undo\S+/m.exec((await mails())[old].text)[0]
  await laptop.goto(undo)
  await shoot(laptop, 'undo')

  const mailbox = await open(devices.desk, { width: 640, scale: 1 })
  await mailbox.goto(`${origin}/dev/mailbox/mail?id=${(await lastCode()).id}`)
  await shoot(mailbox, 'mail')
  for (const page of [desk, phone, tablet, laptop, mailbox]) await page.context().close()
}

install()
build()
findBrowser()
const pictures = join(root, 'docs/images/pages')
mkdirSync(pictures, { recursive: true })
const chrome = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH,
  args: ['--no-sandbox', '--disable-gpu', '--disable-lcd-text'],
})
try {
  for (const scheme of ['light', 'dark']) {
    const folder = mkdtempSync(join(tmpdir(), 'symbolon-pictures-'))
    const service = await startService(folder)
    try {
      await photograph(chrome, service.origin, scheme, pictures)
    } finally {
      await service.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  }
} finally {
  await chrome.close()
}
