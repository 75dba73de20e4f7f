package httpapi

import (
	"bytes"
	"encoding/csv"
)

// mediaCSV is RFC 4180's media type.
const mediaCSV = "text/csv"

// appendCSV appends records as RFC 4180 says, the first of them being the header. Fields are written as they are: an
// identifier may begin with - or @, which a spreadsheet may take for a formula, but it has no character that could make
// it one that does anything (no = + ( ) ! | and no quote or space), and to put another one in front would change who it
// names.
func appendCSV(dst []byte, records [][]string) ([]byte, error) {
	buffer := bytes.NewBuffer(dst)
	writer := csv.NewWriter(buffer)
	writer.UseCRLF = true
	err := writer.WriteAll(records)
	return buffer.Bytes(), err
}
