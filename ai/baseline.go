package ai

import "time"

// Source says where a baseline came from.
type Source string

// The sources of baselines.
const (
	SourceFile  Source = "file"  // A file of training or reference data.
	SourceRange Source = "range" // A past span of the model's own inferences.
	SourceAuto  Source = "auto"  // The first records of the version, unconfirmed.
)

// Baseline is what the inputs and answers of a model version should look like:
// the profile of reference data, with the bins frozen from it. It is immutable
// once made; a changed baseline is a new one with a higher Number.
type Baseline struct {
	Key Key `json:"key"`
	// ID identifies the baseline everywhere; Number counts the baselines of a key
	// from 1.
	ID      string    `json:"id"`
	Number  int       `json:"number"`
	Created time.Time `json:"created"`
	Source  Source    `json:"source"`
	// Note says more for people: the file's name, or the range.
	Note string `json:"note,omitempty"`
	// Confirmed is false for an automatic baseline that nobody has looked at.
	Confirmed bool `json:"confirmed"`
	// Rows is the number of reference records, and Inputs of those among them that
	// the features are about, as in ModelProfile.
	Rows   uint64 `json:"rows"`
	Inputs uint64 `json:"inputs"`
	// Duplicates counts reference records whose features equal those of one of
	// the few thousand before it.
	Duplicates uint64 `json:"duplicates,omitempty"`
	// Features by name, derived ones among them.
	Features map[string]*FeatureBaseline `json:"features"`
	// Dropped is what the guards left out while it was made.
	Dropped Dropped `json:"dropped,omitzero"`
}

// FeatureBaseline is the reference of one feature.
type FeatureBaseline struct {
	Kind Kind `json:"kind"`
	// Bins are frozen from the reference data. They are fine (up to MaxEdges
	// edges), so that the empirical distribution at the edges is the reference
	// for Kolmogorov-Smirnov and Wasserstein; methods that want few cells merge
	// neighbours.
	Bins *Bins `json:"bins"`
	// Profile is the reference data counted in Bins.
	Profile *Profile `json:"profile"`
	// Schema is what values are allowed to be.
	Schema Schema `json:"schema"`
	// Unseen estimates the share of values of categories without a cell of their
	// own that the same source goes on to give: the share the reference had, or, if
	// larger, the share of its categories that it had exactly once (Good, "The
	// population frequencies of species", Biometrika 1953).
	Unseen float64 `json:"unseen,omitempty"`
	// Kernel is set for vectors.
	Kernel *KernelReference `json:"kernel,omitempty"`
}

// Schema says what the values of a feature are allowed to be. A baseline infers
// it; configuration may set it.
type Schema struct {
	Kind Kind `json:"kind"`
	// Nullable is whether the reference had records without a value.
	Nullable bool `json:"nullable"`
	// Optional is whether the feature may be absent altogether.
	Optional bool `json:"optional,omitempty"`
	// Integer is whether all numbers were without a fraction.
	Integer bool `json:"integer,omitempty"`
	// Min and Max bound numbers; nil means no bound.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
	// Categories lists the allowed categories; nil means any, which is also so
	// where the reference had too many to keep.
	Categories []string `json:"categories,omitempty"`
	// Dim is the dimension of vectors; 0 means any.
	Dim int `json:"dim,omitempty"`
}

// KernelReference is what maximum mean discrepancy needs to know of the
// reference vectors beside the mean of their kernel features.
type KernelReference struct {
	// Eigenvalues of the covariance of the reference's kernel features, largest
	// first, without the zeros. With no drift, the squared distance between the
	// kernel means of n reference and m current vectors is distributed as
	// (1/n + 1/m)·Σ λᵢ·χ²₁ for large n and m.
	Eigenvalues []float64 `json:"eigenvalues"`
}
