package redact

import "strings"

// secretKind says how sure a key's name makes that its value is a secret.
type secretKind uint8

const (
	noSecret       secretKind = iota
	perhapsService            // auth:8080 is an address
	surelySecret
)

// longestKey bounds the names that are looked up; only their end counts.
const longestKey = 24

// secretKey says whether the value of this key is a secret, by the last words of its name: db_password, X-Api-Key, spring.rabbitmq.password.
func secretKey(name string) secretKind {
	var buffer [longestKey]byte
	at := len(buffer)
	for i := len(name) - 1; i >= 0 && at > 0; i-- {
		if c := name[i]; alphanumeric(c) {
			at--
			buffer[at] = c | 0x20 // lower case; digits have the bit
		}
	}
	end := string(buffer[at:])
	for _, key := range [...]string{
		"password", "passwd", "passphrase", "pwd", "apikey", "accesskey", "accesskeyid", "accountkey", "secretkey", "privatekey", "clientsecret",
		"accesstoken", "refreshtoken", "idtoken", "authtoken", "connectionstring", "setcookie", "sessionid", "sessid", "ssn", "passwort", "csrf", "xsrf",
	} {
		if strings.HasSuffix(end, key) {
			return surelySecret
		}
	}
	for _, key := range [...]string{"token", "secret", "credential", "credentials", "auth", "authorization", "session", "sessionid", "cookie", "jwt", "signature", "otp"} {
		if strings.HasSuffix(end, key) {
			return perhapsService
		}
	}
	switch lastWord(name) {
	case "pass", "pw", "sig", "sid", "iban":
		return perhapsService
	}
	return noSecret
}

// lastWord is what follows the last sign in a name, in small letters; compass is no pass.
func lastWord(name string) string {
	return strings.ToLower(name[strings.LastIndexAny(name, "_-.")+1:])
}

// Lengths of what follows an issuer's prefix, at least.
const (
	keyRest   = 12
	mixedRest = 16
)

// prefixes lists how well-known issuers mark their keys, by their first letter, as their documentation and scanners of secrets name them.
// The likely ones begin ordinary names too, so what follows must not read as a word.
func prefixes(first byte) (sure, likely string) {
	switch first {
	case 'A':
		return "AKIA ASIA AROA AIDA ABIA AIza AGE-SECRET-KEY-1", ""
	case 'G':
		return "GOCSPX-", ""
	case 'E':
		return "", "EAAC"
	case 'S':
		return "", "SG."
	case 'N':
		return "NRAK-", ""
	case 'a':
		return "", "atlasv1."
	case 'd':
		return "dckr_pat_ dop_v1_", "dapi"
	case 'e':
		return "eyJ", "" // a JSON web token
	case 'g':
		return "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glrt- glcbt- glptt- glsa_", ""
	case 'h':
		return "", "hf_ hvs."
	case 'l':
		return "lin_api_", ""
	case 'n':
		return "", "npm_"
	case 'p':
		return "pk_live_ pk_test_", "pypi-"
	case 'r':
		return "rk_live_ rk_test_", ""
	case 's':
		return "sk_live_ sk_test_ shpat_ shpss_ shpca_ shppa_ sq0atp- sq0csp-", "sk-"
	case 't':
		return "", "tskey-"
	case 'w':
		return "whsec_", ""
	case 'x':
		return "xoxb- xoxp- xoxa- xoxs- xoxr- xoxe- xapp-", ""
	case 'y':
		return "ya29.", ""
	}
	return "", ""
}

// issued finds a key of a well-known issuer, or a JSON web token.
func issued(s string, i int) match {
	sure, likely := prefixes(s[i])
	for prefix := range strings.FieldsSeq(sure) {
		if end := rest(s, i, prefix); end-i >= len(prefix)+keyRest {
			return match{i, end, Token}
		}
	}
	for prefix := range strings.FieldsSeq(likely) {
		if end := rest(s, i, prefix); end-i >= len(prefix)+mixedRest && unpronounceable(s[i+len(prefix):end]) {
			return match{i, end, Token}
		}
	}
	return match{}
}

// rest returns the end of the key that begins at i with the prefix; i if none does.
func rest(s string, i int, prefix string) int {
	if !strings.HasPrefix(s[i:], prefix) {
		return i
	}
	return while(s, i+len(prefix), func(c byte) bool { return alphanumeric(c) || strings.IndexByte("-_.=+/", c) >= 0 })
}

// unpronounceable says that s has both digits and capitals, or many digits, as keys do.
func unpronounceable(s string) bool {
	digits, capitals := 0, 0
	for i := range len(s) {
		if digit(s[i]) {
			digits++
		} else if upper(s[i]) {
			capitals++
		}
	}
	return digits > 0 && capitals > 0 || 5*digits > len(s)
}
