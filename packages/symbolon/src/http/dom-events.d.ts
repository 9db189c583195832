// Names of browser events that hono/jsx's own types speak of. Pages are rendered on the server and listen to none of them, so
// the names stand empty here: the DOM's library would open `document` and `window` to the whole room. Types only, never values.

interface AnimationEvent extends Event {}
interface ClipboardEvent extends Event {}
interface CompositionEvent extends Event {}
interface DragEvent extends Event {}
interface FocusEvent extends Event {}
interface FormDataEvent extends Event {}
interface InputEvent extends Event {}
interface KeyboardEvent extends Event {}
interface MouseEvent extends Event {}
interface PointerEvent extends Event {}
interface TouchEvent extends Event {}
interface TransitionEvent extends Event {}
interface WheelEvent extends Event {}
