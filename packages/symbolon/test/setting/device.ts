// A device with an authenticator of its own, in a page of a real browser (WebAuthn's virtual authenticators).

import type { CDPSession, Page } from 'playwright-core'

/** An authenticator in a page's browser, and what it holds. */
export interface Device {
  readonly cdp: CDPSession
  readonly id: string
  credentials(): Promise<readonly { credentialId: string; signCount: number; userHandle?: string }[]>
  /** Whether somebody is there and answers what is asked. */
  answers(yes: boolean): Promise<unknown>
}
/** Puts one in; somebody is there and answers until told otherwise. `synced`: it is copied to other devices; `verified`: it knows who is there. */
export async function deviceIn(page: Page, synced = true, verified = true): Promise<Device> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('WebAuthn.enable', { enableUI: false })
  const { authenticatorId: id } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: verified,
      automaticPresenceSimulation: true,
      defaultBackupEligibility: synced,
      defaultBackupState: synced,
    },
  })
  return {
    cdp,
    id,
    credentials: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId: id })).credentials,
    answers: (enabled) => cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: id, enabled }),
  }
}
