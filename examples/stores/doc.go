// Package stores runs the conformance kits of package authtest against real databases.
package stores
