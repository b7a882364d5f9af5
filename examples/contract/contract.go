// Package contract holds what travels over the wire against a server's own OpenAPI document. Tests of clients
// use it to see that they send what the document allows; its own tests, that the document is true.
package contract

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Checker checks requests and answers against one document. It is not safe for concurrent use.
type Checker struct {
	root     map[string]any
	compiler *jsonschema.Compiler
}

// where is the address under which the document's schemas refer to one another.
const where = "https://document.example/openapi.json"

// New returns a Checker for the text of an OpenAPI 3.1 document in JSON.
func New(document []byte) (*Checker, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("contract: read document: %w", err)
	}
	root, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("contract: the document is no object")
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020) // what OpenAPI 3.1 says of its schemas
	c.AssertFormat()
	if err := c.AddResource(where, root); err != nil {
		return nil, fmt.Errorf("contract: read document: %w", err)
	}
	return &Checker{root, c}, nil
}

// Request says what is wrong with the body of a request. The path is without the server's prefix.
func (c *Checker) Request(method, path string, body []byte) error {
	op, err := c.operation(method, path)
	if err != nil {
		return err
	}
	sent := op + "/requestBody"
	if c.at(sent) == nil {
		if len(body) > 0 {
			return fmt.Errorf("contract: %s %s takes no body", method, path)
		}
		return nil
	}
	return c.body(sent, body)
}

// Answer says what is wrong with an answer: its status, its type, a header that it lacks, or its body.
func (c *Checker) Answer(method, path string, status int, header http.Header, body []byte) error {
	op, err := c.operation(method, path)
	if err != nil {
		return err
	}
	told := op + "/responses/" + strconv.Itoa(status)
	if c.at(told) == nil {
		return fmt.Errorf("contract: %s %s has no answer %d", method, path, status)
	}
	if ref, ok := c.at(told)["$ref"].(string); ok {
		told = ref
	}
	headers, _ := c.at(told)["headers"].(map[string]any)
	if header.Get("Retry-After") != "" && headers["Retry-After"] == nil {
		return fmt.Errorf("contract: %s %s: answer %d has no Retry-After", method, path, status)
	}
	if c.at(told)["content"] == nil {
		return nil
	}
	if got := header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("contract: %s %s: answer %d is %s", method, path, status, got)
	}
	return c.body(told, body)
}

// Schema compiles the schema under a pointer, such as "#/components/schemas/Error".
func (c *Checker) Schema(pointer string) (*jsonschema.Schema, error) {
	return c.compiler.Compile(where + pointer)
}

func (c *Checker) body(pointer string, body []byte) error {
	schema, err := c.Schema(pointer + "/content/application~1json/schema")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("contract: %s: %w", pointer, err)
	}
	return schema.Validate(value)
}

// operation returns the pointer of the operation that a request is.
func (c *Checker) operation(method, path string) (string, error) {
	for template := range c.at("#/paths") {
		pointer := "#/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(template) + "/" + strings.ToLower(method)
		if matches(template, path) && c.at(pointer) != nil {
			return pointer, nil
		}
	}
	return "", fmt.Errorf("contract: %s %s is not in the document", method, path)
}

// matches reports whether a path is one of a template such as /flow/{id}.
func matches(template, path string) bool {
	before, after, varies := strings.Cut(template, "{id}")
	id := strings.TrimSuffix(strings.TrimPrefix(path, before), after)
	return path == template || varies && path == before+id+after && id != "" && !strings.Contains(id, "/")
}

// at returns the object under a pointer, nil if there is none.
func (c *Checker) at(pointer string) map[string]any {
	here := c.root
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		next, ok := here[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)].(map[string]any)
		if !ok {
			return nil
		}
		here = next
	}
	return here
}
