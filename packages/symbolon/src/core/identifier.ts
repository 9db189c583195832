// E-mail addresses as Symbolon compares and stores them: one written rule, and applying it twice changes nothing.
// ASCII only: a look-alike in another script is refused, not folded, so that nobody's mail goes to a neighbour.

const local = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
const domain = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/

/**
 * The normalised address: blanks around it removed, ASCII letters in lower case (RFC 5321 §2.4 lets hosts tell cases of
 * the local part apart; none that people use does). `undefined` for what is not exactly one plain address of at most
 * 254 letters (RFC 5321 §4.5.3.1); an international domain is written as `xn--…`.
 */
export function normaliseEmail(text: string): string | undefined {
  if (text.length > 320) return undefined
  const plain = text.replace(/^ +| +$/g, '').replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  const at = plain.indexOf('@')
  const [name, host] = [plain.slice(0, at), plain.slice(at + 1)]
  if (at < 1 || plain.length > 254 || name.length > 64 || !local.test(name) || !domain.test(host)) return undefined
  return plain
}

/** One mailbox under its many names: for budgets only, never for who somebody is. */
export function mailboxOf(email: string): string {
  const at = email.indexOf('@')
  const name = email.slice(0, at).split('+')[0] as string
  const host = email.slice(at + 1)
  if (host === 'gmail.com' || host === 'googlemail.com') return `${name.replaceAll('.', '')}@gmail.com`
  return `${name}@${host}`
}
