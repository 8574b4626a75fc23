// Left out is where Node 20 is not what the standard says: "^" in paths, schemes that
// are not special, %-sequences beside characters beyond ASCII in queries, ports that are none.
const out = [];
const parts = u => [u.href, u.origin, u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash].join(" | ");
const schemes = ["http:", "https:", "HTTP:", "ftp:", "file:", "ws:", "wss:", "", " http:", "ht\ntp:"];
const slashes = ["//", "/", "", "///", "\\\\", "\\/", "//user@", "//u:p@", "//u:p:q@", "//@", "//:@", "//a@b@"];
const hosts = ["example.com", "EXAMPLE.com", "ex%41mple.com", "ä.de", "xn--4ca.de", "xn--", "faß.de", "日本語。ＪＰ", "127.1", "0x7f.1", "0377.0.0.1", "4294967296", "256.1", "1.2.3.4.5", "1.2.3.08", "[::1]", "[1:2::3:4]", "[::ffff:1.2.3.4]", "[1::2::3]", "[::1", "a b", "a_b", "a..b", ".", "..", "a.", "-a-", "a%00b", "a%2eb", "a|b", "a<b", "localhost", "C:", "c|", "", "\u00ad", "a\u200db", "1e3", "0x", "09", "😀.com", "%", "%zz", "a".repeat(70) + ".com", "＿.com", "ﬀ.com"];
const ports = ["", "", ":80", ":443", ":0", ":65535", ":65536", ":", ":8a", ":-1", ":000080", ":21"];
const paths = ["", "/", "/a/b/../c", "/a/./b", "/%2e/%2E%2e/x", "/a b", "/ä", "/\\x", "a", "../x", "./", "/C|/x", "//x", "/a;b=c", "/%", "/%zz", "/\ud800", "/a\tb\nc", "/`{}|\"<>", "/.", "/..", "/...", "?", "/😀"];
const queries = ["", "?", "?a=b&c=d", "?a=b c", "?ä='\"<>", "?%zz", "?\ud800", "?a?b", "?#", "?+%20"];
const hashes = ["", "#", "#x", "#a b", "#ä`<>\"", "##", "#\0"];
const plain = () => text(0, 15).replaceAll("^", "");
const address = () => draw() < 0.15 ? plain() : pick(schemes) + pick(slashes) + pick(hosts) + pick(ports) + pick(paths) + pick(queries) + pick(hashes);
const bases = [undefined, undefined, undefined, "http://example.org/a/b?c#d", "https://a/", "file:///C:/x/y", "https://u:p@h:8/x/"];
const members = ["href", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];
for (let i = 0; i < n * 10; i++) {
	const a = address(), base = pick(bases);
	out.push([`URL ${JSON.stringify(a)} ${base}`, tried(() => parts(new URL(a, base)))]);
	if (i % 5 === 0) out.push([`canParse ${JSON.stringify(a)}`, URL.canParse(a, base)]);
	const member = pick(members), value = member === "port" ? String(int(0, 70000)) : pick([() => plain().slice(0, 8), () => pick(hosts) + pick(ports), () => pick(paths), () => pick(queries), () => pick(hashes), () => pick(schemes), () => pick(ports).slice(1)])();
	out.push([`${JSON.stringify(a)}.${member} = ${JSON.stringify(value)}`, tried(() => { const u = new URL(a, base); u[member] = value; return parts(u); })]);
	const q = draw() < 0.5 ? text(0, 15) : some(0, 5, () => text(0, 3) + pick(["=", "", "=="]) + text(0, 3)).join("&");
	if (/%/.test(q) && /[^\0-\x7f]/.test(q)) continue;
	out.push([`URLSearchParams ${JSON.stringify(q)}`, tried(() => { const p = new URLSearchParams(q); p.append("x", "a b&ä"); p.sort(); return p.toString() + " " + JSON.stringify([...p]); })]);
	if (i % 4 === 0) {
		const whole = q.toWellFormed?.() ?? q.replace(/[\ud800-\udfff]/g, "");
		out.push([`querystring ${JSON.stringify(whole)}`, tried(() => JSON.stringify(require("querystring").parse(whole)) + require("querystring").stringify({ [whole]: [1, true, "a ä&=", null, 2n], b: {} }))]);
		out.push([`domainToASCII`, tried(() => { const h = pick(hosts); return [h, require("url").domainToASCII(h), require("url").domainToUnicode(h)].join(" "); })]);
		out.push([`encode ${JSON.stringify(q)}`, tried(() => [encodeURIComponent(q), encodeURI(q), escape(q)].join(" ")), tried(() => decodeURIComponent(q)), unescape(q)].slice(0, 2));
	}
}
return out;
