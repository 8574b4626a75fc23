import { createAction } from "linkspan";
import * as z from "zod";

/** Decodes a polyline (Google's algorithm, 5 decimals). */
function decode(line: string): [number, number][] {
	const points: [number, number][] = [];
	let at = 0, lat = 0, lng = 0;
	const next = () => {
		let result = 0, shift = 0, byte;
		do {
			byte = line.charCodeAt(at++) - 63;
			result |= (byte & 0x1f) << shift;
			shift += 5;
		} while (byte >= 0x20);
		return result & 1 ? ~(result >> 1) : result >> 1;
	};
	while (at < line.length) {
		lat += next();
		lng += next();
		points.push([lat / 1e5, lng / 1e5]);
	}
	return points;
}

export default createAction({
	description: "Measures a route",
	input: z.object({ route: z.string() }),
	output: z.object({ points: z.number(), km: z.number(), box: z.array(z.number()) }),
	exec: async (nango, { route }) => {
		const { data } = await nango.get({ endpoint: `/api/v3/routes/${route}` });
		const points = decode(data.map.summary_polyline);
		const rad = Math.PI / 180;
		let km = 0;
		for (let i = 1; i < points.length; i++) {
			const [a, b] = [points[i - 1]!, points[i]!];
			const h = Math.sin(((b[0] - a[0]) * rad) / 2) ** 2 + Math.cos(a[0] * rad) * Math.cos(b[0] * rad) * Math.sin(((b[1] - a[1]) * rad) / 2) ** 2;
			km += 2 * 6371 * Math.asin(Math.sqrt(h));
		}
		const lats = points.map((p) => p[0]), lngs = points.map((p) => p[1]);
		return { points: points.length, km: Number(km.toPrecision(6)), box: [Math.min(...lats), Math.min(...lngs), Math.max(...lats), Math.max(...lngs)] };
	},
});
