// The door of the server: the process, its configuration and its listeners.

export { type Configuration, type ConfigurationInput, readConfiguration, refuseConfiguration } from './configuration.ts'
export { greeting, type Running, type ServeOptions, serve } from './serve.ts'
