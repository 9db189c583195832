// The benchmark.
export {}
