// What axe finds in a page of a real browser.

import axe from 'axe-core'
import type { Page } from 'playwright-core'

/** Every violation as `rule at element`; by `rules` alone, if there are any. What a frame shows is not looked at. */
export async function violations(page: Page, rules?: readonly string[]): Promise<readonly string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source)
  return page.evaluate(async (values) => {
    const { axe } = globalThis as unknown as { axe: typeof import('axe-core') }
    const { violations } = await axe.run(
      { exclude: ['iframe'] },
      { iframes: false, resultTypes: ['violations'], ...(values !== undefined && { runOnly: { type: 'rule', values: [...values] } }) },
    )
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id} at ${html}`))
  }, rules)
}

/** Whether a page is wider than its window. */
export const overflows = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
