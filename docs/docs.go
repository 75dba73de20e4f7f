// Package docs holds the documents that the program serves.
package docs

import _ "embed"

// OpenAPI is openapi.yaml, the description of the HTTP API (OpenAPI 3.1). It is not to be changed.
//
//go:embed openapi.yaml
var OpenAPI []byte
