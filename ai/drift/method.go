package drift

import (
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// Method is the catalogue line of one way to judge drift. Configuration, pages,
// alerts and documentation all read it.
type Method struct {
	ID    string `json:"id"`
	Title string `json:"title"` // A few words, for a table.
	Unit  string `json:"unit"`  // Of scores and thresholds; "1" for a pure number.
	// Data says what it judges.
	Data []Data `json:"data"`
	// Direction of the score: ai.Above means that a higher score is worse. The
	// p-value is always worse where it is lower.
	Direction ai.Direction `json:"direction"`
	// Threshold is the default effect floor: what the score, corrected for
	// sampling, has to reach for a verdict.
	Threshold float64 `json:"threshold"`
	// Message says what it means, in one sentence.
	Message string `json:"message"`
}

// Data is what a method can judge.
type Data string

// What methods judge.
const (
	DataNumbers    Data = "numbers"    // Values with an order: numbers, probabilities.
	DataCategories Data = "categories" // Strings and booleans.
	DataVectors    Data = "vectors"    // Embeddings.
	DataMissing    Data = "missing"    // The share of records without a value.
	DataRows       Data = "rows"       // Many features at once, from records.
)

// The ids of methods.
const (
	// MethodAuto chooses tests by what the feature is and combines them.
	MethodAuto            = "auto"
	MethodAndersonDarling = "anderson_darling"
	MethodChiSquare       = "chi_square"
	MethodClassifier      = "classifier"
	MethodCramerVonMises  = "cramer_von_mises"
	MethodEnergy          = "energy"
	MethodGTest           = "g_test"
	MethodHellinger       = "hellinger"
	MethodJensenShannon   = "jensen_shannon"
	MethodKS              = "ks"
	MethodMissing         = "missing"
	MethodMMD             = "mmd"
	MethodProportion      = "proportion"
	MethodPSI             = "psi"
	MethodUnseen          = "unseen"
	MethodWasserstein     = "wasserstein"
)

// defaultFloor is the effect floor of tests whose score is a Hellinger distance:
// about as far as a normal mean that moved by 0.085 deviations, a spread that grew by
// 7 %, or a missing share that went from nothing to 0.2 %.
const defaultFloor = 0.03

// resolution says which cells a statistic wants.
type resolution uint8

const (
	coarse resolution = iota // About ten cells of equal baseline share; categories as they are.
	fine                     // All cells.
)

// spec is a method with what computes it. stat is set for methods
// that compare cells and can be chosen; the others have code of their own.
type spec struct {
	Method
	cells resolution
	// stat is the statistic of counts in those cells.
	stat func(c *cells) float64
	// root says that stat is a distance: its square is what has a null
	// distribution free of the sample sizes, and what is corrected for bias.
	root bool
	// term, for statistics that are sums over cells (after squaring, for root), is
	// one cell's: its counts in baseline and window, and the sizes of these.
	term func(r, c, n, m float64) float64
	// auto says that MethodAuto makes this test.
	auto bool
	// hellinger says that stat is only for the test, and the score is the
	// corrected Hellinger distance.
	hellinger bool
}

// cells are the counts of one feature in baseline and window.
type cells struct {
	ref, cur []float64
	n, m     float64 // Their sums.
	ends     []float64
	unit     float64 // The baseline's deviation, for distances in units of values.
}

const hellingerUnit = "Hellinger distance"

func specs() []spec {
	numbers := []Data{DataNumbers}
	both := []Data{DataNumbers, DataCategories}
	return []spec{
		{
			Method: Method{
				ID: MethodAndersonDarling, Title: "Anderson-Darling", Unit: hellingerUnit, Data: numbers,
				Direction: ai.Above, Threshold: defaultFloor,
				Message: "The distribution of the values moved, widened or narrowed, judged at every quantile with weight on the tails.",
			},
			cells: fine, stat: func(c *cells) float64 { return AndersonDarling(c.ref, c.cur) },
			auto: true, hellinger: true,
		},
		{
			Method: Method{
				ID: MethodChiSquare, Title: "Chi-square", Unit: hellingerUnit, Data: both,
				Direction: ai.Above, Threshold: defaultFloor,
				Message: "The shares of categories, or of ten ranges of values, changed.",
			},
			cells: coarse, stat: func(c *cells) float64 { x, _ := ChiSquare(c.ref, c.cur); return x },
			auto: true, hellinger: true,
		},
		{
			Method: Method{
				ID: MethodClassifier, Title: "Domain classifier", Unit: "ROC AUC", Data: []Data{DataRows},
				Direction: ai.Above, Threshold: 0.55,
				Message: "A classifier can tell records of this window from the baseline's, by their features together.",
			},
		},
		{
			Method: Method{
				ID: MethodCramerVonMises, Title: "Cramér-von Mises", Unit: "1", Data: numbers,
				Direction: ai.Above, Threshold: 0.03,
				Message: "The distribution functions differ on average over all values.",
			},
			cells: fine, stat: func(c *cells) float64 { return sqrtOf(cramerVonMisesOfBaseline(c.ref, c.cur)) }, root: true,
		},
		{
			Method: Method{
				ID: MethodEnergy, Title: "Energy distance", Unit: "square root of baseline deviations", Data: numbers,
				Direction: ai.Above, Threshold: 0.1,
				Message: "Values of the window lie farther from the baseline's than these from each other.",
			},
			cells: fine, stat: func(c *cells) float64 { return Energy(c.ref, c.cur, c.ends) / sqrtOf(c.unit) }, root: true,
		},
		{
			Method: Method{
				ID: MethodGTest, Title: "G-test", Unit: hellingerUnit, Data: both,
				Direction: ai.Above, Threshold: defaultFloor,
				Message: "The shares of categories, or of ten ranges of values, changed.",
			},
			cells: coarse, stat: func(c *cells) float64 { x, _ := GTest(c.ref, c.cur); return x },
			hellinger: true,
		},
		{
			Method: Method{
				ID: MethodHellinger, Title: "Hellinger", Unit: hellingerUnit, Data: both,
				Direction: ai.Above, Threshold: 0.1,
				Message: "The shares of categories, or of ten ranges of values, are that far apart.",
			},
			cells: coarse, stat: func(c *cells) float64 { return Hellinger(c.ref, c.cur) }, root: true, term: hellingerTerm,
		},
		{
			Method: Method{
				ID: MethodJensenShannon, Title: "Jensen-Shannon", Unit: "Jensen-Shannon distance, base 2", Data: both,
				Direction: ai.Above, Threshold: 0.1,
				Message: "The shares of categories, or of ten ranges of values, are that far apart.",
			},
			cells: coarse, stat: func(c *cells) float64 { return JensenShannon(c.ref, c.cur) }, root: true, term: jensenShannonTerm,
		},
		{
			Method: Method{
				ID: MethodKS, Title: "Kolmogorov-Smirnov", Unit: "1", Data: numbers,
				Direction: ai.Above, Threshold: 0.05,
				Message: "The share of values below some point changed by that much.",
			},
			cells: fine, stat: func(c *cells) float64 { return KolmogorovSmirnov(c.ref, c.cur) }, root: true,
		},
		{
			Method: Method{
				ID: MethodMissing, Title: "Missing share", Unit: hellingerUnit, Data: []Data{DataMissing},
				Direction: ai.Above, Threshold: defaultFloor,
				Message: "The share of records without a value changed.",
			},
			auto: true,
		},
		{
			Method: Method{
				ID: MethodMMD, Title: "Maximum mean discrepancy", Unit: "kernel deviations", Data: []Data{DataVectors},
				Direction: ai.Above, Threshold: defaultFloor,
				Message: "The embeddings lie elsewhere than the baseline's.",
			},
			auto: true,
		},
		{
			Method: Method{
				ID: MethodProportion, Title: "Two proportions", Unit: hellingerUnit, Data: both,
				Direction: ai.Above, Threshold: defaultFloor,
				Message: "The share of one of two values changed.",
			},
			auto: true,
		},
		{
			Method: Method{
				ID: MethodPSI, Title: "Population stability index", Unit: "nats", Data: both,
				Direction: ai.Above, Threshold: 0.1,
				Message: "The shares of categories, or of ten ranges of values, changed; 0.1 is commonly read as moderate and 0.25 as large.",
			},
			cells: coarse, stat: func(c *cells) float64 { return PopulationStability(c.ref, c.cur) }, term: populationStabilityTerm,
		},
		{
			Method: Method{
				ID: MethodUnseen, Title: "Unseen values", Unit: hellingerUnit, Data: both,
				Direction: ai.Above, Threshold: defaultFloor,
				Message: "More values than a baseline of that size can miss lie outside its range or its categories.",
			},
			auto: true,
		},
		{
			Method: Method{
				ID: MethodWasserstein, Title: "Wasserstein", Unit: "baseline deviations", Data: numbers,
				Direction: ai.Above, Threshold: 0.1,
				Message: "On average a value moved that far.",
			},
			cells: fine, stat: func(c *cells) float64 { return Wasserstein(c.ref, c.cur, c.ends) / c.unit }, root: true,
		},
	}
}

// Catalogue lists every method, by id.
func Catalogue() []Method {
	all := specs()
	out := make([]Method, len(all))
	for i := range all {
		out[i] = all[i].Method
	}
	return out
}

// MethodByID returns the catalogue line of a method.
func MethodByID(id string) (Method, bool) {
	all := Catalogue()
	i := slices.IndexFunc(all, func(m Method) bool { return m.ID == id })
	if i < 0 {
		return Method{}, false
	}
	return all[i], true
}
