// Placeholder door.
export {}
