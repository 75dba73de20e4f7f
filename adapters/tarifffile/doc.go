// Package tarifffile reads and writes the tariff's YAML file (DESIGN section 3).
//
// A file holds the versions of a tariff in their order, one YAML document each, separated by lines of "---". A document
// has the members of the JSON that the routes take, every one of them required but effective_from in version 1:
//
//	version: 1
//	comment_min_level: 13
//	read_min_fraction: "1"
//	own_post_comment_pays: true
//	author_reaction_pays: true
//	rows:
//	  - engagement: post_published
//	    debit: {party: author, line: post_publish_tribute}
//	    credit: {party: treasury}
//	    amount: "10"
//
// What a document may say is decided in one place: it is put into that JSON and read by domain.ParseTariff. So file and
// route can never differ, and this package adds only what is YAML's own:
//
//   - An amount and read_min_fraction may stand with or without quotes. Either way the text in the file is what is
//     read, never a number that YAML made of it: 0.10 is refused as it is in JSON, and nothing passes through a float.
//   - Other numbers are plain decimal integers without quotes; 0x10, 1_000 or 010 are refused. Booleans are true and
//     false, without quotes.
//   - Duplicate keys, anchors, aliases, merge keys, tags, directives (%), block scalars (| and >), documents that are
//     empty and the end marker "..." are refused.
//   - A file has at most MaxFileBytes, one document at most MaxDocumentBytes.
//
// Errors are of type *Error and name the file, line and column, the member, and what is wrong with it.
package tarifffile
