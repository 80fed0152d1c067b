// SPDX-License-Identifier: MIT
// One call of AWS's own CloudFront client: `node invalidate.mjs ENDPOINT COMMAND INPUT-AS-JSON`; prints the output, or the error, as JSON.
import {
  CloudFrontClient, CreateInvalidationCommand, GetInvalidationCommand, ListInvalidationsCommand,
} from "@aws-sdk/client-cloudfront";

const commands = { CreateInvalidationCommand, GetInvalidationCommand, ListInvalidationsCommand };
const [endpoint, command, input] = process.argv.slice(2);
const client = new CloudFrontClient({
  endpoint, region: "us-east-1", maxAttempts: 1, credentials: { accessKeyId: "headgate", secretAccessKey: "unused" },
});
if (process.env.HEADGATE_ADMIN_TOKEN) {
  // The SDK signs for AWS; the edge wants its own token.
  client.middlewareStack.add((next) => (args) => {
    args.request.headers.authorization = `Bearer ${process.env.HEADGATE_ADMIN_TOKEN}`;
    return next(args);
  }, { step: "finalizeRequest", priority: "low", override: true });
}
try {
  const { $metadata, ...output } = await client.send(new commands[command](JSON.parse(input)));
  console.log(JSON.stringify({ status: $metadata.httpStatusCode, ...output }));
} catch (error) {
  console.log(JSON.stringify({ status: error.$metadata?.httpStatusCode, error: error.name, message: error.message }));
}
