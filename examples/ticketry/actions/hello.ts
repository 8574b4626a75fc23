export default async function run(nango: any) {
	const { owner, repo, title, body } = nango.input;

	const response = await nango.post({
		endpoint: `/repos/${owner}/${repo}/issues`,
		data: { title, body },
	});

	return response.data;
}
