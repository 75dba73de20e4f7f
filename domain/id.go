package domain

// Treasury is the account of the platform's own side. It is no identifier that anybody may send.
const Treasury = "treasury"

// MaxIDBytes is the length of the longest identifier.
const MaxIDBytes = 128

// ValidID reports whether s may name a post, a comment, an account or a report: 1–128 characters of
// A–Z a–z 0–9 . _ ~ : @ -, but not "." or ".." (URL paths swallow them) and not "treasury" (DESIGN section 4).
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > MaxIDBytes || s == "." || s == ".." || s == Treasury {
		return false
	}
	for i := range len(s) {
		if !idByte[s[i]] {
			return false
		}
	}
	return true
}

var idByte = func() (ok [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:@-") {
		ok[c] = true
	}
	return ok
}()
