// The types of packages that bring none.
declare module "events" {
	const EventEmitter: any;
	export = EventEmitter;
}
declare module "path-browserify" {
	const path: Record<string, any>;
	export default path;
}
declare module "punycode/punycode.js" {
	const punycode: Record<string, unknown>;
	export default punycode;
}
