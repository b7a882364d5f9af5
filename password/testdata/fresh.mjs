// Prints the part of fresh.json that npm packages make; see fresh.py. The arguments are the passwords.
import { FirebaseScrypt } from "firebase-scrypt";
import { hashPassword } from "@better-auth/utils/password";

const parameters = {
  signerKey: "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
  saltSeparator: "Bw==", rounds: 8, memCost: 10,
};
const rows = [];
for (const password of process.argv.slice(2)) {
  const salt = Buffer.from(crypto.getRandomValues(new Uint8Array(10))).toString("base64");
  const key = await new FirebaseScrypt(parameters).hash(password, salt);
  const { signerKey, saltSeparator, rounds, memCost } = parameters;
  rows.push({ password, tool: "firebase-scrypt",
    encoded: `$firescrypt$ln=${memCost},r=${rounds},p=1$${salt}$${key}$${saltSeparator}$${signerKey}` });
  rows.push({ password, tool: "better-auth", encoded: await hashPassword(password) });
}
console.log(JSON.stringify(rows));
