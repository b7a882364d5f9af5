package authhttp

import (
	"maps"
	"slices"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Shape is which fields a request must have and which it may have.
type Shape struct{ Must, May []string }

// GoalFields are the fields that begin a flow of each goal, with the one that names the goal.
func GoalFields() map[string]Shape {
	all := map[string]Shape{}
	for goal, s := range goalFields {
		all[goal.String()] = Shape{append([]string{"goal"}, s.must...), s.may}
	}
	return all
}

// ActionFields are the fields of each action, with those that name it and its flow.
func ActionFields() map[string]Shape {
	all := map[string]Shape{}
	for action, s := range actionFields {
		all[action] = Shape{append([]string{"flow", "action"}, s.must...), s.may}
	}
	return all
}

// FieldKind returns what a field holds ("text", "flag", "number" or "object") and the most bytes that it may take; empty
// if no request may have it.
func FieldKind(name string) (kind string, limit int) {
	spec, known := fieldKinds[name]
	if !known {
		return "", 0
	}
	return [...]string{"text", "flag", "number", "object"}[spec.kind], spec.limit
}

// Paths are those of the JSON API, relative to the prefix, without the one that has an id in it.
func Paths() []string {
	routes := (&Handler{}).table()
	return slices.Sorted(func(yield func(string) bool) {
		for path, rt := range routes {
			if rt.json && !yield(path) {
				return
			}
		}
	})
}

// StatusOf is statusOf.
func StatusOf(r flow.Reason) int { return statusOf(r) }

// Fields are all fields that any request may have.
func Fields() []string { return slices.Sorted(maps.Keys(fieldKinds)) }

// What openapi.json is made with.
const (
	ContractServer  = contractServer
	ContractCookies = contractCookies
	BodyLimit       = bodyLimit
	FlowIDLength    = flowIDLength
	MaxAge          = deviceAge
	FaultCode       = faultCode
)
