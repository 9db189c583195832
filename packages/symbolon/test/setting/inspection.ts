// What is asked of every page, whatever it shows: by axe, by its size, by the keyboard, by name, and by what it fetches.

import type { BrowserContext, Page, Request } from 'playwright-core'
import { overflows, violations } from '../../../../test/accessible.ts'

/** What went wrong in a browser while nobody looked, and what its pages were made of. */
export interface Witness {
  /** Faults since the last time it was asked: errors of scripts and of the policy, requests to anybody else. */
  faults(): readonly string[]
  /** The last page as it was answered, before any script. */
  document(): Promise<string>
}

/** Watches a browser from its first page on. */
export function witness(context: BrowserContext, origin: string): Witness {
  let found: string[] = []
  let last: Request | undefined
  context.on('console', (message) => {
    // A page's own status is logged as well, and is not a fault.
    if (message.type() === 'error' && !/^Failed to load resource.* status of 4/.test(message.text())) found.push(message.text())
  })
  context.on('weberror', (error) => void found.push(String(error.error())))
  context.on('request', (request) => {
    const { protocol, origin: from } = new URL(request.url())
    if (protocol !== 'data:' && from !== origin) found.push(`request to ${request.url()}`)
    if (request.isNavigationRequest() && request.frame().parentFrame() === null) last = request
  })
  return {
    faults() {
      const told = found
      found = []
      return told
    },
    document: async () => (await (await last?.response())?.text()) ?? '',
  }
}

const controls = 'a[href], button:not(:disabled), input:not([type=hidden]), summary'

/** Everything that is not as it has to be, in words; nothing is left changed in the page. */
export async function inspect(page: Page): Promise<readonly string[]> {
  const wrong: string[] = []
  const size = page.viewportSize() ?? { width: 1280, height: 800 }
  wrong.push(...(await page.evaluate(structure, controls)))
  wrong.push(...(await byKeyboard(page)))
  wrong.push(...(await unnamed(page)))
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    // By day it is asked everything; by night nothing but colours is different.
    const found = await violations(page, colorScheme === 'light' ? undefined : ['color-contrast', 'link-in-text-block'])
    wrong.push(...found.map((one) => `axe, ${colorScheme}: ${one}`))
  }
  const shown = await page.evaluate(inSight)
  await page.emulateMedia({ colorScheme: null, reducedMotion: 'reduce', forcedColors: 'active' })
  const still = await page.evaluate(inSight)
  if (still.join() !== shown.join()) wrong.push(`hidden by forced colours: ${shown.filter((one) => !still.includes(one))}`)
  await page.emulateMedia({ reducedMotion: null, forcedColors: null })
  await page.setViewportSize({ width: 320, height: 640 })
  if (await overflows(page)) wrong.push('scrolls sideways at 320 px')
  await page.setViewportSize(size)
  if (await page.evaluate(overflowsAtDouble)) wrong.push('scrolls sideways when text is twice as large')
  return wrong
}

/** What can be read off the document: titles, errors, what blocks the first paint, forms that may go twice. Runs in the page. */
function structure(wanted: string): string[] {
  const wrong: string[] = []
  const heading = document.querySelectorAll('h1')
  if (heading.length !== 1) wrong.push(`${heading.length} headings of the first level`)
  if (!document.title.includes(heading[0]?.textContent?.trim() || '–')) wrong.push(`the title “${document.title}” does not say the state`)
  for (const alert of document.querySelectorAll('[role=alert]:not(:empty)')) {
    const focused = document.activeElement
    if (focused !== alert && focused?.getAttribute('aria-describedby') !== alert.id)
      wrong.push('an error is neither focused nor beside what is')
  }
  for (const entry of performance.getEntriesByType('resource') as (PerformanceResourceTiming & { renderBlockingStatus?: string })[])
    if (entry.renderBlockingStatus === 'blocking') wrong.push(`painting waits for ${entry.name}`)
  for (const one of document.querySelectorAll('[tabindex], [onclick]'))
    if (one.getAttribute('tabindex') !== '-1') wrong.push(`an order of its own: ${one.outerHTML}`)
  for (const form of document.querySelectorAll<HTMLFormElement>('form[method=post]:not([data-passkey])')) {
    if (form.querySelector(wanted) === null && form.querySelector('button:disabled') === null) wrong.push('a form without a control')
    let left = 0
    const count = (event: Event) => {
      if (!event.defaultPrevented) left++
      event.preventDefault()
    }
    addEventListener('submit', count)
    form.noValidate = true
    form.requestSubmit()
    form.requestSubmit()
    form.noValidate = false
    removeEventListener('submit', count)
    form.removeAttribute('aria-busy')
    if (left !== 1) wrong.push(`${form.action} goes ${left} times when it is pressed twice`)
  }
  return wrong
}

/** Presses Tab from the top to the end: every control once, in the order of the page, with an outline. */
async function byKeyboard(page: Page): Promise<string[]> {
  const count = await page.evaluate((wanted) => {
    const all = [...document.querySelectorAll<HTMLElement>(wanted)].filter((one) => one.checkVisibility({ visibilityProperty: true }))
    all.forEach((one, at) => {
      one.dataset.at = String(at)
    })
    const focused = document.activeElement
    if (focused instanceof HTMLElement) focused.blur()
    // Where Tab begins: before everything.
    document.body.tabIndex = -1
    document.body.focus()
    return all.length
  }, controls)
  const wrong: string[] = []
  for (let at = 0; at < count; ) {
    await page.keyboard.press('Tab')
    const seen = await page.evaluate(() => {
      const one = document.activeElement
      if (!(one instanceof HTMLElement)) return null
      const { outlineStyle, outlineWidth } = getComputedStyle(one)
      const { width, height } = one.getBoundingClientRect()
      const seen = { frame: one.localName === 'iframe', at: one.dataset.at, html: one.outerHTML.slice(0, 120) }
      return { ...seen, outlined: outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2, large: width > 0 && height >= 24 }
    })
    if (seen?.frame === true) continue
    if (seen?.at !== String(at)) return [...wrong, `Tab ${at + 1} of ${count} goes to ${seen?.html}`]
    if (!seen.outlined) wrong.push(`focus cannot be seen on ${seen.html}`)
    if (!seen.large) wrong.push(`too small: ${seen.html}`)
    at++
  }
  await page.evaluate(() => {
    document.body.removeAttribute('tabindex')
    for (const one of document.querySelectorAll('[data-at]')) one.removeAttribute('data-at')
  })
  return wrong
}

/** Controls without a name in the tree that a screen reader gets. */
async function unnamed(page: Page): Promise<string[]> {
  const cdp = await page.context().newCDPSession(page)
  const { nodes } = await cdp.send('Accessibility.getFullAXTree')
  return nodes
    .filter(({ ignored, role }) => !ignored && /^(button|link|textbox|DisclosureTriangle|Iframe)$/.test(String(role?.value)))
    .filter(({ name }) => String(name?.value ?? '').trim() === '')
    .map(({ role }) => `a ${role?.value} without a name`)
}

/** What can be seen, in order. Runs in the page. */
function inSight(): string[] {
  return [...document.querySelectorAll<HTMLElement>('main *')]
    .filter((one) => {
      if (!one.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false
      // What is drawn by its background alone is gone where colours are forced to be one.
      const { backgroundColor, borderTopWidth } = getComputedStyle(one)
      if (!one.matches('.dot')) return true
      return borderTopWidth !== '0px' || backgroundColor !== getComputedStyle(document.body.parentElement as Element).backgroundColor
    })
    .map((one, at) => `${at} ${one.localName} ${one.className}`)
}

/** As browsers do that enlarge text only. Runs in the page. */
function overflowsAtDouble(): boolean {
  const all = [...document.querySelectorAll<HTMLElement>('body, body *')]
  const sizes = all.map((one) => Number.parseFloat(getComputedStyle(one).fontSize))
  const before = all.map((one) => one.style.fontSize)
  all.forEach((one, at) => {
    one.style.fontSize = `${2 * (sizes[at] ?? 0)}px`
  })
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth
  all.forEach((one, at) => {
    one.style.fontSize = before[at] ?? ''
    if (one.getAttribute('style') === '') one.removeAttribute('style')
  })
  return wide
}

/** What a page says and offers where no script runs. Runs in the page. */
export function withoutScript(): string[] {
  const wrong: string[] = []
  const visible = (one: Element) => one.checkVisibility({ visibilityProperty: true })
  for (const form of document.querySelectorAll<HTMLFormElement>('form[method=post]')) {
    if (form.dataset.passkey !== undefined) {
      if (visible(form)) wrong.push('a form for passkeys is shown where none can be used')
    } else if (
      [...form.querySelectorAll<HTMLElement>('button, details *')].every((one) => !visible(one)) &&
      form.closest('details') === null
    )
      wrong.push(`${form.action} cannot be sent`)
  }
  for (const button of document.querySelectorAll<HTMLButtonElement>('button'))
    if (button.disabled || (button.type === 'button' && visible(button))) wrong.push(`a button that needs a script: ${button.outerHTML}`)
  const ways = [...document.querySelectorAll('a[href], form:not([data-passkey]) button, summary, noscript')].filter(visible)
  if (ways.length === 0) wrong.push('no way on')
  return wrong
}
