package standard

// Assemble puts a Site together over any stores; Open needs an SQL driver, which this module has none of.
var Assemble = assemble
