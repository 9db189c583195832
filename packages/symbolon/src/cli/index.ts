// The door of the command line.

export { run } from './program.ts'
export { exit, type Terminal } from './terminal.ts'
