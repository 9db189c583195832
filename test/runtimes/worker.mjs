// The suite in a worker: it runs while a request is under way, for outside of one there are no streams and no timers.

import config from './config.json'
import { run } from './suite.mjs'

export default {
  async fetch() {
    return Response.json({ runtime: 'workerd', cases: await run(config) })
  },
}
