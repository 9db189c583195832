// Makes a screenshot small: its 256 most frequent colours as a palette, every other pixel in the nearest of them.
// Enough for pages, which are flat; needs nothing but zlib.
import { crc32, deflateSync, inflateSync } from 'node:zlib'

/** The bytes of each pixel, row by row, of a PNG with 8 bits for each of red, green and blue (PNG §9: filters undone). */
function decode(png) {
  const data = []
  let [width, height, type] = [0, 0, 0]
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const name = png.toString('latin1', at + 4, at + 8)
    const chunk = png.subarray(at + 8, at + 8 + png.readUInt32BE(at))
    if (name === 'IHDR') [width, height, type] = [chunk.readUInt32BE(0), chunk.readUInt32BE(4), chunk[9]]
    if (name === 'IDAT') data.push(chunk)
  }
  const step = { 2: 3, 6: 4 }[type]
  if (step === undefined) throw new Error('A screenshot has red, green and blue.')
  const filtered = inflateSync(Buffer.concat(data))
  const row = width * step
  const pixels = Buffer.alloc(row * height)
  for (let i = 0; i < pixels.length; i++) {
    const [x, y] = [i % row, Math.floor(i / row)]
    const left = x < step ? 0 : pixels[i - step]
    const up = y === 0 ? 0 : pixels[i - row]
    const corner = x < step || y === 0 ? 0 : pixels[i - row - step]
    const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)]
    const paeth = a <= b && a <= c ? left : b <= c ? up : corner
    pixels[i] = filtered[y * (row + 1) + 1 + x] + [0, left, up, (left + up) >> 1, paeth][filtered[y * (row + 1)]]
  }
  return { width, height, step, pixels }
}

function chunkOf(name, data) {
  const chunk = Buffer.alloc(12 + data.length)
  chunk.writeUInt32BE(data.length, 0)
  chunk.write(name, 4, 'latin1')
  data.copy(chunk, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length)
  return chunk
}

/** The same picture, smaller. */
export function smaller(png) {
  const { width, height, step, pixels } = decode(png)
  const colours = Array.from({ length: width * height }, (_, i) => pixels.readUIntBE(i * step, 3))
  const uses = new Map()
  for (const colour of colours) uses.set(colour, (uses.get(colour) ?? 0) + 1)
  const palette = [...uses.keys()].sort((a, b) => uses.get(b) - uses.get(a)).slice(0, 256)
  const apart = (a, b) => [16, 8, 0].reduce((sum, shift) => sum + (((a >> shift) & 255) - ((b >> shift) & 255)) ** 2, 0)
  const nearest = (colour) => palette.reduce((best, one, i) => (apart(one, colour) < apart(palette[best], colour) ? i : best), 0)
  const index = new Map([...uses.keys()].map((colour) => [colour, nearest(colour)]))
  const rows = Buffer.alloc((width + 1) * height)
  colours.forEach((colour, i) => {
    rows[i + Math.floor(i / width) + 1] = index.get(colour)
  })
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 3, 0, 0, 0])
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  const table = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]))
  const parts = [
    ['IHDR', header],
    ['PLTE', table],
    ['IDAT', deflateSync(rows, { level: 9, memLevel: 9 })],
    ['IEND', Buffer.alloc(0)],
  ]
  return Buffer.concat([png.subarray(0, 8), ...parts.map(([name, data]) => chunkOf(name, data))])
}
