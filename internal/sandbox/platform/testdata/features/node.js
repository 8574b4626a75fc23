// Runs the rows of the feature table that come on standard input.
process.stdin.setEncoding("utf8");
let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", async () => {
	const out = [process.version];
	// Some timers of Node do not keep it alive.
	setInterval(() => {}, 1000);
	for (const [name, source] of JSON.parse(text)) {
		let result;
		try {
			result = await new Function("require", `${source}\nreturn row;`)(require)();
		} catch (error) {
			result = `fails ${error.name}`;
		}
		out.push(JSON.stringify([name, result]));
	}
	require("fs").writeSync(1, `${out.join("\n")}\n`);
	process.exit(0);
});
