// The service answers below /auth of this very host, so that its cookies are this host's: in production a load balancer
// does this, here Next does.

import type { NextConfig } from 'next'

const service = process.env.SYMBOLON_SERVICE ?? 'http://localhost:4000'

const config: NextConfig = {
  rewrites: async () => [{ source: '/auth/:path*', destination: `${service}/auth/:path*` }],
}
export default config
