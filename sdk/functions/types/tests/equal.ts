/** Whether two types are the same. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Holds a type to being true: `expect<Equal<A, B>>()`. */
export function expect<_ extends true>(): void {}
