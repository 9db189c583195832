// For tests, in development: who dies when a step is reached. By itself this process, as by `kill -9`; or another one, such
// as the main process of PostgreSQL, which ends by SIGQUIT with all of its own at once, as by a crash.

/** What is called at each step. `setting`: the step, and behind a blank the id of the process to end instead of this one. */
export function crashAt(setting: string | undefined): (step: string) => void {
  const [at, other] = setting?.split(' ') ?? []
  let done = false
  return (step) => {
    if (done || step !== at) return
    done = true
    if (other === undefined) process.kill(process.pid, 'SIGKILL')
    else process.kill(Number(other), 'SIGQUIT')
  }
}
