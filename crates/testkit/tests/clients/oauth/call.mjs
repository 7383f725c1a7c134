// One call of a standard OAuth client at the authority, as any service that uses the library makes it:
//   node call.mjs LIBRARY ACTION METHOD ISSUER CLIENT_ID CLIENT_SECRET TOKEN
// prints one line of JSON: what the library returned, or the error that it threw.

import * as oauth4webapi from "oauth4webapi";
import * as openid from "openid-client";

const [library, action, method, issuer, id, secret, token] = process.argv.slice(2);

// A test has no certificate; both libraries refuse plain http where this is not said.
const insecure = { [oauth4webapi.allowInsecureRequests]: true };

const libraries = {
  "openid-client": {
    async configuration() {
      const authenticate = method === "post" ? openid.ClientSecretPost : openid.ClientSecretBasic;
      const options = { algorithm: "oauth2", execute: [openid.allowInsecureRequests] };
      return openid.discovery(new URL(issuer), id, undefined, authenticate(secret), options);
    },
    async discover() {
      return (await this.configuration()).serverMetadata();
    },
    async introspect() {
      return openid.tokenIntrospection(await this.configuration(), token);
    },
    async revoke() {
      return openid.tokenRevocation(await this.configuration(), token);
    },
  },
  oauth4webapi: {
    authenticate: method === "post" ? oauth4webapi.ClientSecretPost : oauth4webapi.ClientSecretBasic,
    client: { client_id: id },
    async discover() {
      const options = { algorithm: "oauth2", ...insecure };
      const response = await oauth4webapi.discoveryRequest(new URL(issuer), options);
      return oauth4webapi.processDiscoveryResponse(new URL(issuer), response);
    },
    async resource() {
      const response = await oauth4webapi.resourceDiscoveryRequest(new URL(issuer), insecure);
      return oauth4webapi.processResourceDiscoveryResponse(new URL(issuer), response);
    },
    async introspect() {
      const server = await this.discover();
      const as = this.authenticate(secret);
      const response = await oauth4webapi.introspectionRequest(server, this.client, as, token, insecure);
      return oauth4webapi.processIntrospectionResponse(server, this.client, response);
    },
    async revoke() {
      const server = await this.discover();
      const as = this.authenticate(secret);
      const response = await oauth4webapi.revocationRequest(server, this.client, as, token, insecure);
      return oauth4webapi.processRevocationResponse(response);
    },
  },
};

let told;
try {
  told = { returned: (await libraries[library][action]()) ?? null };
} catch (thrown) {
  const challenges = Array.isArray(thrown.cause) ? thrown.cause : [];
  const schemes = challenges.map((challenge) => challenge.scheme);
  told = { thrown: thrown.error ?? thrown.message, status: thrown.status, schemes };
}
console.log(JSON.stringify(told));
