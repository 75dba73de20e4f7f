package domain

import (
	"fmt"
	"slices"
)

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

const idCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:@-"

var idByte = func() (ok [256]bool) {
	for _, c := range []byte(idCharacters) {
		ok[c] = true
	}
	return ok
}()

// idPattern returns a regular expression that matches the identifiers.
func idPattern() string { return patternBut(MaxIDBytes, "", ".", "..", Treasury) }

// patternBut returns a regular expression that matches what has at most so many of an identifier's characters, but for
// some words. RE2 cannot look ahead, so these are taken apart, character by character.
func patternBut(most int, words ...string) string {
	if len(words) == 0 {
		return fmt.Sprintf("[%s]{0,%d}", idCharacters, most)
	}
	rests := map[rune][]string{}
	for _, word := range words {
		if word != "" {
			rests[rune(word[0])] = append(rests[rune(word[0])], word[1:])
		}
	}
	pattern, others := "", ""
	for _, c := range idCharacters {
		if rest := rests[c]; rest != nil {
			pattern += fmt.Sprintf("[%c]%s|", c, patternBut(most-1, rest...))
		} else {
			others += string(c)
		}
	}
	pattern = fmt.Sprintf("(?:%s[%s]%s)", pattern, others, patternBut(most-1))
	if !slices.Contains(words, "") {
		pattern += "?"
	}
	return pattern
}
