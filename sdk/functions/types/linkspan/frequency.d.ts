// How often syncs run.

type Unit =
	| "s" | "sec" | "secs" | "second" | "seconds"
	| "m" | "min" | "mins" | "minute" | "minutes"
	| "h" | "hr" | "hrs" | "hour" | "hours"
	| "d" | "day" | "days"
	| "w" | "week" | "weeks";
type Interval = Unit | `${number}${"" | " "}${Unit}` | "month" | "half day" | "half hour" | "quarter hour";

/**
 * How often a sync runs: `"every 15 minutes"`, `"every hour"`, `"every half day"`, from 30 seconds to 31 days; or a cron
 * expression, in UTC unless it names a time zone: `"cron 0 9 * * 1-5"`, `"cron TZ=Europe/Berlin 0 9 * * mon-fri"`.
 */
export type Frequency = Interval | `every ${Interval}` | `cron ${string}`;

type Squeezed<Text extends string> =
	Text extends ` ${infer Rest}` ? Squeezed<Rest>
	: Text extends `${infer Rest} ` ? Squeezed<Rest>
	: Text extends `${infer Head}  ${infer Tail}` ? Squeezed<`${Head} ${Tail}`>
	: Text;

/** A text as it is if it is a frequency, in whatever case; texts that are only known when the function is read are taken as they are. */
export type CheckedFrequency<Text extends string> = string extends Text ? Text : Squeezed<Lowercase<Text>> extends Frequency ? Text : Frequency;

// What is not exported above stays in here.
export {};
