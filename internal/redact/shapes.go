package redact

import "strings"

// userinfo finds what stands before the @ of a URL whose authority begins at i.
func userinfo(s string, i int) match {
	end := while(s, i, func(c byte) bool { return c != '/' && c != '?' && c != '#' && c > ' ' })
	sign := strings.LastIndexByte(s[i:end], '@')
	if sign < 0 {
		return match{}
	}
	return match{i, i + sign, Credential}
}

// login finds user:password@ as in the addresses of databases. An image's tag is followed by a digest instead.
func login(s string, i int) match {
	colon := while(s, i, inLogin)
	if colon == i || !strings.HasPrefix(s[colon:], ":") {
		return match{}
	}
	sign := while(s, colon+1, func(c byte) bool { return c > ' ' && strings.IndexByte("@/,;\"'&|", c) < 0 })
	if sign == colon+1 || !strings.HasPrefix(s[sign:], "@") || strings.HasPrefix(s[sign:], "@sha") {
		return match{}
	}
	return match{i, sign, Credential}
}

func inLogin(c byte) bool { return wordly(c) || strings.IndexByte("._-", c) >= 0 }

// inMail holds the signs of RFC 5322 (atext) but for those that part an address from what is before it: & = / ? % { | }.
func inMail(c byte) bool { return wordly(c) || strings.IndexByte("._+-'!#$*^`~", c) >= 0 }

// mail finds a mail address: a domain has a dot and ends in letters, which tells it from an image's digest or a package's version. The sign
// may be written as in a URL.
func mail(s string, i int) match {
	end := while(s, i, inMail)
	sign := 0
	switch {
	case end == i:
		return match{}
	case strings.HasPrefix(s[end:], "@"):
		sign = 1
	case strings.HasPrefix(s[end:], "%40"):
		sign = 3
	default:
		return match{}
	}
	begin := end + sign
	end = while(s, begin, func(c byte) bool { return wordly(c) || c == '.' || c == '-' })
	domain := strings.TrimRight(s[begin:end], ".-")
	dot := strings.LastIndexByte(domain, '.')
	if dot <= 0 || !letters(domain[dot+1:]) {
		return match{}
	}
	return match{i, begin + len(domain), Mail}
}

// letters says that s may be the last part of a domain.
func letters(s string) bool {
	return strings.HasPrefix(s, "xn--") || len(s) >= 2 && while(s, 0, func(c byte) bool { return wordly(c) && !digit(c) }) == len(s)
}

// pem finds a PEM block, to its end if that is there.
func pem(s string, i int) match {
	const begin, end = "-----BEGIN", "-----END"
	if len(s)-i < len(begin) || !strings.EqualFold(s[i:i+len(begin)], begin) {
		return match{}
	}
	stop := len(s)
	if n := strings.Index(strings.ToUpper(s[i:]), end); n >= 0 && i+n+len(end) <= len(s) { // other letters may grow
		last := while(s, i+n+len(end), func(c byte) bool { return lower(c) || upper(c) || c == ' ' })
		stop = while(s, last, func(c byte) bool { return c == '-' })
	}
	return match{i, stop, Key}
}

// pair finds the value of a key that names a secret: password=..., X-Api-Key: ..., "token":"...".
func pair(s string, i int) match {
	end := while(s, i, inKey)
	kind := secretKey(s[i:end])
	if kind == noSecret {
		return match{}
	}
	begin, sign := separator(s, end)
	if sign == 0 {
		return match{}
	}
	stop := value(s, begin)
	address := kind == perhapsService && sign == ':' && begin == end+1 && (stop-begin < 8 || !unpronounceable(s[begin:stop]))
	if stop == begin || address {
		return match{}
	}
	return match{begin, stop, Secret}
}

func inKey(c byte) bool { return alphanumeric(c) || c == '_' || c == '-' || c == '.' }

// separator returns where the value begins that follows a key, and '=' or ':'; 0 if none follows.
func separator(s string, i int) (begin int, sign byte) {
	quote := func(c byte) bool { return c <= ' ' || c == '"' || c == '\'' || c == '\\' }
	i = while(s, i, quote)
	switch rest := strings.ToUpper(s[i:min(i+3, len(s))]); {
	case strings.HasPrefix(rest, "="), strings.HasPrefix(rest, ":"):
		return while(s, i+1, quote), rest[0]
	case rest == "%3D":
		return i + 3, '='
	case rest == "%3A":
		return i + 3, ':'
	}
	return i, 0
}

// value returns the end of the value that begins at i: at the quote that closes it if one opened it. Bearer and the like belong to it with
// what follows.
func value(s string, i int) int {
	if quote := s[i-1]; quote == '"' || quote == '\'' {
		if n := strings.IndexByte(s[i:], quote); n >= 0 {
			return i + n
		}
	}
	if m := scheme(s, i); m.to > m.from {
		return m.to
	}
	end := while(s, i, inValue)
	switch strings.ToLower(s[i:end]) {
	case "bearer", "basic", "digest", "apikey", "negotiate", "token", "ntlm":
		return while(s, while(s, end, func(c byte) bool { return c == ' ' }), inValue)
	}
	return end
}

func inValue(c byte) bool { return c > ' ' && strings.IndexByte("&;,\"'<>{}[]()|\\", c) < 0 }

// scheme finds what follows Bearer or Basic.
func scheme(s string, i int) match {
	for _, word := range [...]string{"bearer", "basic", "digest", "apikey", "negotiate"} {
		if len(s)-i <= len(word) || !strings.EqualFold(s[i:i+len(word)], word) {
			continue
		}
		begin := while(s, i+len(word), func(c byte) bool { return c <= ' ' || c == '+' })
		if strings.HasPrefix(s[i+len(word):], "%20") {
			begin = i + len(word) + len("%20")
		}
		if begin == i+len(word) {
			continue
		}
		end := while(s, begin, func(c byte) bool { return alphanumeric(c) || strings.IndexByte("-._~+/=%", c) >= 0 })
		if said := s[begin:end]; len(said) >= 8 && (word == "bearer" || !plainWord(said)) {
			return match{begin, end, Token}
		}
	}
	return match{}
}

// plainWord says that s could be a word of a sentence.
func plainWord(s string) bool {
	return while(s, 1, func(c byte) bool { return lower(c) || c == '-' || c == '.' }) == len(s)
}

// card finds a payment card's number: 13 to 19 digits, perhaps in groups, that begin as cards do and have the right check digit.
func card(s string, i int) match {
	sum, n, end := 0, 0, i
	var digits [19]byte
	for j := i; j < len(s); j++ {
		switch c := s[j]; {
		case digit(c) && n == len(digits):
			return match{} // too long
		case digit(c):
			digits[n] = c - '0'
			n, end = n+1, j+1
			continue
		case (c == ' ' || c == '-') && j == end && n > 0:
			continue
		}
		break
	}
	if n < 13 || digits[0] < 2 || digits[0] > 6 || end < len(s) && wordly(s[end]) {
		return match{}
	}
	for k := range n { // Luhn: every second digit from the right counts twice
		d := int(digits[n-1-k])
		if k%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	if sum%10 != 0 {
		return match{}
	}
	return match{i, end, Card}
}

// phone finds +4930123456 and 555-123-4567, with spaces, dots, hyphens or brackets between.
func phone(s string, i int) match {
	if s[i] != '+' && s[i] != '(' && !digit(s[i]) {
		return match{}
	}
	n, end, groups := 0, i, make([]int, 0, 8)
	for j := i; j < len(s) && len(groups) < cap(groups); j++ {
		c := s[j]
		if digit(c) {
			if j == i || !digit(s[j-1]) {
				groups = append(groups, 0)
			}
			groups[len(groups)-1]++
			n, end = n+1, j+1
		} else if strings.IndexByte("+ .-()", c) < 0 || j-end > 2 {
			break
		}
	}
	if end < len(s) && wordly(s[end]) {
		return match{}
	}
	national := s[i] != '+' && len(groups) == 3 && groups[0] == 3 && groups[1] == 3 && groups[2] == 4
	if !national && (s[i] != '+' || n < 9 || n > 15) {
		return match{}
	}
	return match{i, end, Phone}
}
