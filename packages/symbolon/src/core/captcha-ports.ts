// What a CAPTCHA asks of the world: somebody who asks whoever wants a mail sent, and judges what they answer.

/** As `Eventually` in the ports, which stand on this file. */
type Soon<T> = T | Promise<T>

/** Who asks. */
export interface CaptchaContext {
  readonly clientId: string
  readonly ip: string | null
}

/** Asks, and judges answers, which may be anything of at most 2,000 letters. */
export interface Captcha {
  /** What is to be answered: public, the same for everybody. */
  ask(context: CaptchaContext): Soon<Readonly<Record<string, unknown>>>
  /** Whether it is right, and counts for the first time. Failing, or taking longer than three seconds, is a no. */
  check(context: CaptchaContext & { readonly answer: string }): Soon<boolean>
}
