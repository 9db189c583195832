// The shapes of ids. An id is not a secret; its prefix says what it names. A session id (`sid`) is 128 bits
// as 22 letters of base64url, without a prefix, because it stands inside credentials that carry their own. And the one
// prefix of a credential that guards tell apart.

/** 128 bits as base64url: 22 letters, of which the last holds only 2 bits. */
const body = '[A-Za-z0-9_-]{21}[AQgw]'
const sid = new RegExp(`^${body}$`)
const user = new RegExp(`^usr_${body}$`)
const client = new RegExp(`^(?:cli_${body}|[a-z][a-z0-9_-]{0,39})$`)

/** Whether a text is an opaque access token by its prefix: what is in it only the service can read. */
export function isOpaque(token: string): boolean {
  return token.startsWith('syo_')
}

/** Whether a text is a session id. */
export function isSid(text: string): boolean {
  return sid.test(text)
}

/** Whether a text is a user id, `usr_…`. */
export function isUserId(text: string): boolean {
  return user.test(text)
}

/** Whether a text is a client id: `cli_…`, or a short name given by configuration such as `app`. */
export function isClientId(text: string): boolean {
  return client.test(text)
}
