package redact

// Lengths of an IBAN (ISO 13616), without spaces.
const (
	shortestIBAN = 15
	longestIBAN  = 34
)

// iban finds the number of a bank account: two letters, two digits and up to thirty letters and digits, perhaps in groups, whose remainder by
// 97 is 1 (ISO 7064) when the first four stand last and letters are numbers from 10.
func iban(s string, i int) match {
	var signs [longestIBAN]byte
	n, end := 0, i
	for j := i; j < len(s); j++ {
		c := s[j]
		if c == ' ' && n > 0 && n%4 == 0 && j == end {
			continue
		}
		if !digit(c) && !upper(c) || (n < 2) != upper(c) && n < 4 {
			break
		}
		if n == len(signs) {
			return match{}
		}
		signs[n] = c
		n, end = n+1, j+1
	}
	if n < shortestIBAN || end < len(s) && wordly(s[end]) {
		return match{}
	}
	rest := 0
	for k := range n {
		if c := signs[(k+4)%n]; digit(c) {
			rest = (10*rest + int(c-'0')) % 97
		} else {
			rest = (100*rest + int(c-'A') + 10) % 97
		}
	}
	if rest != 1 {
		return match{}
	}
	return match{i, end, IBAN}
}
