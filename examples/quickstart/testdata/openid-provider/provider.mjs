// A certified OpenID provider (https://github.com/panva/node-oidc-provider) on loopback, for the stories in browsers.
// It has the sign-in pages that come with it, where any name and any password will do.
//
// SITE is the address of the quickstart, its only client, SECRET is what the two share, and PORT is where it listens. It
// prints "issuer ADDRESS" then.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const site = process.env.SITE;
const callback = `${site}/auth/provider/openid`;

function signingKey(type, options, alg) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: alg };
}

const server = createServer();
server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'quickstart',
      client_secret: process.env.SECRET,
      redirect_uris: [`${callback}/callback`],
      post_logout_redirect_uris: [`${site}/auth/signed-out`],
      backchannel_logout_uri: `${callback}/logout`,
      backchannel_logout_session_required: true,
    }],
    jwks: { keys: [signingKey('rsa', { modulusLength: 2048 }, 'RS256'), signingKey('ec', { namedCurve: 'P-256' }, 'ES256')] },
    cookies: { keys: [crypto.randomUUID()] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({ sub, email: `${sub}@id.example`, email_verified: true }),
    }),
    features: { backchannelLogout: { enabled: true }, devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    // Its own fetch goes to no loopback address, and that is where the site is.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  });
  provider.on('backchannel.error', (_, error) => console.error('back-channel logout:', error.message));
  server.on('request', provider.callback());
  console.log(`issuer ${issuer}`);
});
