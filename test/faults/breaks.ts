// The table of deliberate breaks, and what the load must find of each. A row without rules is the twin of those beside it:
// a fault that the product must stand, so that it is the break that is found and not the fault.

import type { Edit } from './broken.ts'
import type { Broken } from './history/events.ts'

/** A row: rules that a history of this build must be found to break, each of them; none: it must break none. */
export interface Break {
  readonly name: string
  readonly edits: readonly Edit[]
  readonly breaks: readonly Broken['rule'][]
  /** On PostgreSQL; else on SQLite. */
  readonly database?: true
  /** In the short run, too: of each guarantee and store one, and the twins. */
  readonly short?: true
}

const store = (file: string, from: string, to: string): Edit => ({ file: `symbolon/dist/stores/sqlite/${file}.js`, from, to })
const postgres = (file: string, from: string, to: string): Edit => ({ file: `symbolon/dist/stores/postgres/${file}.js`, from, to })
const core = (file: string, from: string, to: string): Edit => ({ file: `symbolon/dist/core/${file}.js`, from, to })
const verifier = (file: string, from: string, to: string): Edit => ({ file: `verifier/dist/${file}.js`, from, to })

/** One read in eight fails, and says so. */
const failingReads = store(
  'finder',
  '        try {\n',
  "        try {\n            if (Math.random() < 0.125) throw new Error('unreadable')\n",
)

/** The two reads behind live checks on PostgreSQL, and what each answers. */
const readers = { glance: 'answers', finder: 'found' } as const

/** Puts something around both. */
const around = (before: string, answer: string): readonly Edit[] =>
  Object.entries(readers).flatMap(([file, answers]) => [
    postgres(file, 'return createGroup({', `${before} const gather = createGroup({`),
    postgres(file, `return ${answers};\n        },\n    });`, `return ${answers};\n        },\n    });\n    return ${answer};`),
  ])

/** What was read comes late, so that much can happen meanwhile. */
const slowAnswers: readonly Edit[] = Object.entries(readers).map(([file, answers]) =>
  postgres(file, `return ${answers};`, `await new Promise((resolve) => setTimeout(resolve, 400));\n            return ${answers};`),
)

/** The same of the embedded store, whose answers come at once. */
const slowReads = store(
  'finder',
  'for (const [sid, { resolve }] of these)\n                    resolve(reader.read(sid, now));',
  `for (const [sid, { resolve }] of these) {
                    const read = reader.read(sid, now);
                    setTimeout(() => resolve(read), 400);
                }`,
)

/** The table. */
export const breaks: readonly Break[] = [
  { name: 'nothing changed', edits: [], breaks: [], short: true },
  {
    name: 'a rotation that compares nothing',
    short: true,
    edits: [store('sessions', 'AND generation = ? AND revoked_at IS NULL', 'AND ? > 0 AND revoked_at IS NULL')],
    breaks: ['G3', 'G7'],
  },
  { name: 'a store that is unreadable at times', edits: [failingReads], breaks: [] },
  {
    name: 'a store that is unreadable at times, and answered for from memory',
    short: true,
    edits: [
      failingReads,
      store('finder', 'let asked = new Map();\n    const readAll', 'let asked = new Map(); const memory = new Map();\n    const readAll'),
      store(
        'finder',
        'const answer = new Promise((resolve, reject) => Object.assign(settle, { resolve, reject }));',
        `const answer = new Promise((resolve, reject) => Object.assign(settle, {
            resolve: (found) => { memory.set(sid, found); resolve(found); },
            reject: (error) => memory.has(sid) ? resolve(memory.get(sid)) : reject(error),
        }));`,
      ),
    ],
    breaks: ['G1'],
  },
  {
    name: 'a read that is used again for a while',
    edits: [
      store('finder', 'let asked = new Map();\n    const readAll', 'let asked = new Map(); const young = new Map();\n    const readAll'),
      store(
        'finder',
        'const known = asked.get(sid);',
        'const kept = young.get(sid); if (kept !== undefined && performance.now() - kept.at < 300) return kept.answer;\n        const known = asked.get(sid);',
      ),
      store(
        'finder',
        'asked.set(sid, { answer, ...settle });',
        'asked.set(sid, { answer, ...settle }); young.set(sid, { answer, at: performance.now() });',
      ),
    ],
    breaks: ['G1'],
  },
  { name: 'nothing changed but slow answers', edits: [slowReads], breaks: [] },
  {
    name: 'slow answers, and checks that join one that was read before',
    edits: [
      slowReads,
      store('finder', 'let asked = new Map();\n    const readAll', 'let asked = new Map(); const under = new Map();\n    const readAll'),
      store(
        'finder',
        'const known = asked.get(sid);',
        'if (under.has(sid)) return under.get(sid).answer;\n        const known = asked.get(sid);',
      ),
      store(
        'finder',
        'asked.set(sid, { answer, ...settle });',
        'asked.set(sid, { answer, ...settle }); under.set(sid, { answer }); void answer.finally(() => under.delete(sid)).catch(() => {});',
      ),
    ],
    breaks: ['G1'],
  },
  {
    name: 'a verifier that says yes when it cannot ask',
    edits: [verifier('guard', 'answer.then(decide, fault)', 'answer.then(decide, () => pass(authOf(question.claims)))')],
    breaks: ['G1'],
  },
  {
    name: 'a verifier that takes what it knows for new',
    short: true,
    edits: [verifier('knowledge', 'revocations.complete() ? feed.staleness()', 'revocations.complete() ? 0')],
    breaks: ['G2'],
  },
  {
    name: 'a session that ends and is not told of',
    edits: [store('sessions', "write.feed.push({ kind: 'session', id: sid, expires: now + feedLife.user });", '')],
    breaks: ['G2'],
  },
  {
    name: 'a commit that is answered for and undone',
    short: true,
    edits: [
      store(
        'group',
        "db.exec('COMMIT');",
        "globalThis.commits = (globalThis.commits ?? 0) + 1; db.exec(globalThis.commits > 150 && globalThis.commits % 15 === 0 ? 'ROLLBACK' : 'COMMIT');",
      ),
    ],
    breaks: ['G4'],
  },
  {
    name: 'a change of roles that grows no epoch',
    edits: [store('users', 'epoch = epoch + 1 WHERE', 'epoch = epoch + 0 WHERE')],
    breaks: ['G4'],
  },
  {
    name: 'an old copy that is only turned away',
    edits: [
      core(
        'decide',
        "if (n !== session.predecessor)\n        return 'reused';",
        "if (n !== session.predecessor)\n        return 'superseded';",
      ),
    ],
    breaks: ['G3'],
  },
  {
    name: 'an old copy that is taken for a lost answer',
    edits: [
      core(
        'decide',
        "if (n !== session.predecessor)\n        return 'reused';",
        "if (n !== session.predecessor)\n        return 'replay';",
      ),
    ],
    breaks: ['G3'],
  },
  {
    name: 'no window at all',
    edits: [core('decide', 'return now - session.rotatedAt < window;', 'return false;')],
    breaks: ['G3'],
  },
  {
    name: 'lost answers that are theft',
    edits: [core('decide', "if (rules.recovery === 'revoke')", 'if (true)')],
    breaks: ['G7'],
  },
  { name: 'nothing changed but slow answers, on PostgreSQL', edits: slowAnswers, breaks: [], database: true, short: true },
  {
    name: 'slow answers, and checks on PostgreSQL that join a statement that was sent before',
    short: true,
    edits: [
      ...slowAnswers,
      ...around(
        'const under = new Map();',
        `(sid) => {
        if (!under.has(sid)) under.set(sid, gather(sid).finally(() => under.delete(sid)));
        return under.get(sid);
    }`,
      ),
    ],
    breaks: ['G1'],
    database: true,
  },
  {
    name: 'a rotation on PostgreSQL that compares nothing',
    edits: [postgres('sessions', "AND s.generation = (c->>'from')::bigint AND", "AND (c->>'from')::bigint > 0 AND")],
    breaks: ['G3', 'G7'],
    database: true,
  },
  {
    name: 'a feed numbered by a plain sequence',
    short: true,
    edits: [
      postgres('write', 'CREATE FUNCTION @log(', 'CREATE SEQUENCE @feed_numbers;\nCREATE FUNCTION @log('),
      postgres(
        'write',
        "UPDATE @feed_head SET seq = seq + n WHERE tenant = 'main' RETURNING seq, feed_id INTO last, feed;",
        `SELECT feed_id INTO feed FROM @feed_head;
  FOR i IN 1..n LOOP last := nextval('@feed_numbers'); END LOOP;
  PERFORM pg_sleep(random() * 0.2);`,
      ),
      postgres(
        'write',
        "PERFORM pg_notify('@channel', '');",
        "UPDATE @feed_head SET seq = greatest(seq, last) WHERE tenant = 'main'; PERFORM pg_notify('@channel', '');",
      ),
    ],
    breaks: ['G2'],
    database: true,
  },
  {
    name: 'a database that cannot be reached, and is answered for from memory',
    edits: around(
      'const memory = new Map();',
      `(sid) => (Math.random() < 0.125 ? Promise.reject(new Error('unreachable')) : gather(sid)).then(
        (found) => { memory.set(sid, found); return found; },
        (error) => { if (memory.has(sid)) return memory.get(sid); throw error; },
    )`,
    ),
    breaks: ['G1'],
    database: true,
  },
]
