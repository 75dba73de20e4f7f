package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
)

// tokenInitCommand makes a tokens' file with its first tokens.
type tokenInitCommand struct {
	File       string            `arg:"" help:"The tokens' file to make."`
	Token      []string          `arg:"" name:"name=role,…" help:"A token: who has it, and its roles."`
	SecretFile map[string]string `placeholder:"NAME=FILE" help:"File for a token's secret, which then is not printed; once for each."`
}

// Help is the command's help beyond its flags.
func (*tokenInitCommand) Help() string {
	return `Makes a tokens' file and the tokens in it, and prints each name with its secret, which is kept nowhere. Where
the file is there already nothing is made or printed, and that is no error: so a service may run it before each start,
and has tokens from its first start on. One process at a time.

The file is made last, so whatever goes wrong before it is put right by running the command again; what was printed
before then is no token. The files can be read by their owner and group. Roles are those of tweiledger token new --help.

Example:

    tweiledger token init tokens.yaml web=write ops=operate,read prometheus=read --secret-file prometheus=scrape/token
`
}

// firstToken is a token that is made together with the file.
type firstToken struct{ name, secret, line string }

// Run runs the command.
func (cmd *tokenInitCommand) Run(c console) error {
	_, err := os.Stat(cmd.File)
	if err == nil {
		fmt.Fprintf(c.notes, "%s is there: no token was made.\n", cmd.File)
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tokens, err := cmd.tokens()
	if err != nil {
		return &usageError{err.Error(), "see tweiledger token init --help"}
	}
	if err := cmd.handOut(tokens, c); err != nil {
		return err
	}
	text := "tokens:\n"
	for _, t := range tokens {
		text += t.line + "\n"
	}
	if err := writeWhole(cmd.File, text); err != nil {
		return err
	}
	fmt.Fprintf(c.notes, "%s holds %d tokens. What is printed are their secrets, shown only now.\n",
		cmd.File, len(tokens))
	return nil
}

// tokens makes the tokens.
func (cmd *tokenInitCommand) tokens() (tokens []firstToken, err error) {
	names := map[string]bool{}
	for _, asked := range cmd.Token {
		name, roles, ok := strings.Cut(asked, "=")
		if !ok {
			return nil, fmt.Errorf("%.140q has no roles: give NAME=ROLE,ROLE", asked)
		}
		if names[name] {
			return nil, fmt.Errorf("the name %s stands twice", name)
		}
		names[name] = true
		t := firstToken{name: name}
		if t.secret, t.line, err = httpapi.NewToken(name, strings.Split(roles, ",")); err != nil {
			return nil, fmt.Errorf("%s: %w", asked, err)
		}
		tokens = append(tokens, t)
	}
	for name := range cmd.SecretFile {
		if !names[name] {
			return nil, fmt.Errorf("--secret-file: no token is named %.140q", name)
		}
	}
	return tokens, nil
}

// handOut writes the secrets into their files, and prints those that have none.
func (cmd *tokenInitCommand) handOut(tokens []firstToken, c console) error {
	for _, t := range tokens {
		if file := cmd.SecretFile[t.name]; file != "" {
			if err := writeWhole(file, t.secret+"\n"); err != nil {
				return err
			}
		}
	}
	for _, t := range tokens {
		if cmd.SecretFile[t.name] != "" {
			continue
		}
		if _, err := fmt.Fprintf(c.out, "%s %s\n", t.name, t.secret); err != nil {
			return fmt.Errorf("printing the secrets: %w", err)
		}
	}
	return nil
}

// writeWhole makes a file that its owner and group can read. Under its name it is whole and durable.
func writeWhole(path, text string) error {
	partial := path + partialSuffix
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	if err := os.Rename(partial, path); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	return syncFolder(filepath.Dir(path))
}
