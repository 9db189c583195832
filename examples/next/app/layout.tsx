import type { ReactNode } from 'react'

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <nav>
          <a href="/">Home</a> <a href="/feed">Feed</a> <a href="/devices">Devices</a>
        </nav>
        {children}
      </body>
    </html>
  )
}
