package domain

// SplitWavesOf has waves of n engagements and more decided in two parts.
func SplitWavesOf(n int) { leastSplit = n }
