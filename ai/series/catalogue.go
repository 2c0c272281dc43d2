package series

import "slices"

// Type is the type of a metric, as the exposition formats name it.
type Type string

// The types of metrics.
const (
	Gauge     Type = "gauge"
	Counter   Type = "counter"
	Histogram Type = "histogram" // Native and classic at once.
)

// Metric is the catalogue line of one metric.
type Metric struct {
	Name   string
	Type   Type
	Labels []string // In the order of Sample.Values.
	Unit   string   // "seconds", "ratio", ...; "1" for plain numbers.
	Help   string   // One sentence.
	// Group is the heading on the page.
	Group string
}

// Groups of metrics, in the order of the page.
const (
	groupSeed     = "Common names"
	groupService  = "Requests"
	groupModel    = "Accuracy"
	groupData     = "Data"
	groupDrift    = "Drift"
	groupBaseline = "Baselines and windows"
	groupStatus   = "Status and findings"
	groupGuards   = "Guards"
)

// model are the labels that every metric of a model carries; with adds more.
var model = []string{"service", "model", "model_version"}

func with(labels ...string) []string { return slices.Concat(model, labels) }

// Catalogue returns every metric, in the order of the page.
func Catalogue() []*Metric { return slices.Clone(catalogue) }

// Lookup returns the metric of that name, or nil.
func Lookup(name string) *Metric {
	for _, m := range catalogue {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// The metrics. They are values that nothing changes.
var (
	modelInferenceLatencySeconds = &Metric{
		Name: "model_inference_latency_seconds", Type: Gauge, Labels: with("endpoint"), Unit: "seconds", Group: groupSeed,
		Help: "Mean duration of the successful inferences of the last window.",
	}
	modelQPS = &Metric{
		Name: "model_qps", Type: Gauge, Labels: with(), Unit: "requests per second", Group: groupSeed,
		Help: "Inferences per second in the last window, all endpoints together.",
	}
	httpRequestsTotal = &Metric{
		Name: "http_requests_total", Type: Counter, Labels: with("endpoint", "outcome"), Unit: "requests", Group: groupSeed,
		Help: "Inferences by how they ended; the same numbers as modelwatch_inferences_total.",
	}
	httpRequestsErrorRate = &Metric{
		Name: "http_requests_error_rate", Type: Gauge, Labels: with(), Unit: "ratio", Group: groupSeed,
		Help: "Share of the inferences of the last window that failed by the service's fault, all endpoints together.",
	}
	inputDataMean = &Metric{
		Name: "input_data_mean", Type: Gauge, Labels: with("feature_name"), Unit: "of the feature", Group: groupSeed,
		Help: "Mean of a numeric feature in the last window.",
	}
	inputDataStdDev = &Metric{
		Name: "input_data_std_dev", Type: Gauge, Labels: with("feature_name"), Unit: "of the feature", Group: groupSeed,
		Help: "Population standard deviation of a numeric feature in the last window.",
	}
	inputDataMeanOffset = &Metric{
		Name: "input_data_mean_offset", Type: Gauge, Labels: with("feature_name"), Unit: "of the feature", Group: groupSeed,
		Help: "Mean of a numeric feature in the baseline.",
	}

	inferencesTotal = &Metric{
		Name: "modelwatch_inferences_total", Type: Counter, Labels: with("endpoint", "outcome"), Unit: "inferences", Group: groupService,
		Help: "Inferences by how they ended: ok, client (4xx), cancelled, overload (429), timeout, server (5xx) or other.",
	}
	inferenceDuration = &Metric{
		Name: "modelwatch_inference_duration_seconds", Type: Histogram, Labels: with("endpoint", "result"), Unit: "seconds", Group: groupService,
		Help: "Duration of inferences; result is success or failure, because a fast refusal must not make a service look fast.",
	}
	timeToFirstToken = &Metric{
		Name: "modelwatch_time_to_first_token_seconds", Type: Histogram, Labels: with("endpoint"), Unit: "seconds", Group: groupService,
		Help: "Time from the request to the first token of the answer.",
	}
	tokensTotal = &Metric{
		Name: "modelwatch_tokens_total", Type: Counter, Labels: with("endpoint", "direction"), Unit: "tokens", Group: groupService,
		Help: "Tokens that the model read (direction input) and wrote (output).",
	}

	accuracy = &Metric{
		Name: "modelwatch_accuracy", Type: Gauge, Labels: with(), Unit: "ratio", Group: groupModel,
		Help: "Share of right answers among the labelled inferences of the last span of labels.",
	}
	accuracyEstimate = &Metric{
		Name: "modelwatch_accuracy_estimate", Type: Gauge, Labels: with(), Unit: "ratio", Group: groupModel,
		Help: "Accuracy estimated without labels from the model's calibrated probabilities; it does not see concept drift.",
	}
	accuracyEstimateLow = &Metric{
		Name: "modelwatch_accuracy_estimate_low", Type: Gauge, Labels: with(), Unit: "ratio", Group: groupModel,
		Help: "Lower end of the 95 % interval of the estimated accuracy.",
	}
	accuracyEstimateHigh = &Metric{
		Name: "modelwatch_accuracy_estimate_high", Type: Gauge, Labels: with(), Unit: "ratio", Group: groupModel,
		Help: "Upper end of the 95 % interval of the estimated accuracy.",
	}
	modelScore = &Metric{
		Name: "modelwatch_model_score", Type: Gauge, Labels: with("score"), Unit: "of the score", Group: groupModel,
		Help: "Measured performance by score: precision, recall, f1, roc_auc, log_loss, brier, calibration_error, mae, rmse, mape, bias or r2.",
	}
	labelled = &Metric{
		Name: "modelwatch_labelled_records", Type: Gauge, Labels: with(), Unit: "inferences", Group: groupModel,
		Help: "Labelled inferences that the accuracy and the scores rest on.",
	}

	features = &Metric{
		Name: "modelwatch_features", Type: Gauge, Labels: with(), Unit: "features", Group: groupData,
		Help: "Input features that at least one record of the last window had.",
	}
	missingRatio = &Metric{
		Name: "modelwatch_feature_missing_ratio", Type: Gauge, Labels: with("feature_name"), Unit: "ratio", Group: groupData,
		Help: "Share of the records of the last window without a value of the feature.",
	}
	typeErrorRatio = &Metric{
		Name: "modelwatch_feature_invalid_ratio", Type: Gauge, Labels: with("feature_name"), Unit: "ratio", Group: groupData,
		Help: "Share of the values of the last window that are of another type, infinite, or vectors of another length.",
	}
	embeddingDistance = &Metric{
		Name: "modelwatch_embedding_distance", Type: Gauge, Labels: with("feature_name", "distance"), Unit: "of the vectors, or 1", Group: groupData,
		Help: "Distance of the mean vector of the last window from the baseline's: euclidean, or cosine (0 to 2).",
	}
	duplicateRatio = &Metric{
		Name: "modelwatch_duplicate_ratio", Type: Gauge, Labels: with(), Unit: "ratio", Group: groupData,
		Help: "Share of the records of the last window whose features equal those of a recent record.",
	}

	driftScore = &Metric{
		Name: "modelwatch_drift_score", Type: Gauge, Labels: with("feature_name", "method"), Unit: "of the method", Group: groupDrift,
		Help: "Effect size of the change from the baseline to the last window; drift needs it above modelwatch_drift_threshold.",
	}
	driftThreshold = &Metric{
		Name: "modelwatch_drift_threshold", Type: Gauge, Labels: with("method"), Unit: "of the method", Group: groupDrift,
		Help: "Effect size from which a change may be called drift, by method.",
	}
	driftPValue = &Metric{
		Name: "modelwatch_drift_p_value", Type: Gauge, Labels: with("feature_name"), Unit: "probability", Group: groupDrift,
		Help: "P-value of no drift, for this window's size and corrected for the number of features.",
	}
	driftVerdict = &Metric{
		Name: "modelwatch_drift_verdict", Type: Gauge, Labels: with("feature_name"), Unit: "1", Group: groupDrift,
		Help: "Verdict on the feature: 0 none, 1 possible, 2 drift; no sample where it is unknown.",
	}
	driftedFeatures = &Metric{
		Name: "modelwatch_drifted_features", Type: Gauge, Labels: with(), Unit: "features", Group: groupDrift,
		Help: "Features whose verdict is drift, those among them that have no series of their own.",
	}
	judgedFeatures = &Metric{
		Name: "modelwatch_judged_features", Type: Gauge, Labels: with(), Unit: "features", Group: groupDrift,
		Help: "Features whose verdict is not unknown.",
	}

	baselineInfo = &Metric{
		Name: "modelwatch_baseline_info", Type: Gauge, Labels: with("baseline", "source", "confirmed"), Unit: "1", Group: groupBaseline,
		Help: "1 for the baseline in use; source is file, range or auto.",
	}
	baselineRows = &Metric{
		Name: "modelwatch_baseline_rows", Type: Gauge, Labels: with(), Unit: "records", Group: groupBaseline,
		Help: "Records of the baseline in use.",
	}
	baselineFeatures = &Metric{
		Name: "modelwatch_baseline_features", Type: Gauge, Labels: with(), Unit: "features", Group: groupBaseline,
		Help: "Input features of the baseline in use.",
	}
	baselineCreated = &Metric{
		Name: "modelwatch_baseline_created_timestamp_seconds", Type: Gauge, Labels: with(), Unit: "seconds since 1970", Group: groupBaseline,
		Help: "When the baseline in use was made.",
	}
	windowRecords = &Metric{
		Name: "modelwatch_window_records", Type: Gauge, Labels: with(), Unit: "inferences", Group: groupBaseline,
		Help: "Inferences of the last window, which the gauges are about.",
	}
	windowEnd = &Metric{
		Name: "modelwatch_window_end_timestamp_seconds", Type: Gauge, Labels: with(), Unit: "seconds since 1970", Group: groupBaseline,
		Help: "When the last window ended; it falls behind the clock where inferences stop coming.",
	}

	statusMetric = &Metric{
		Name: "modelwatch_status", Type: Gauge, Labels: []string{"service", "layer"}, Unit: "1", Group: groupStatus,
		Help: "State of a layer (service, model, data, resource): 0 healthy, 1 unknown, 2 degraded, 3 down.",
	}
	findingScore = &Metric{
		Name: "modelwatch_finding_score", Type: Gauge, Labels: with("feature_name", "kind", "layer", "severity"), Unit: "of the finding", Group: groupStatus,
		Help: "Score of each finding of the last window; feature_name is empty where it is about the whole model.",
	}
	findingThreshold = &Metric{
		Name: "modelwatch_finding_threshold", Type: Gauge, Labels: with("feature_name", "kind", "layer", "severity"), Unit: "of the finding", Group: groupStatus,
		Help: "Threshold that the score of the finding crossed.",
	}

	profileDropped = &Metric{
		Name: "modelwatch_profile_dropped_total", Type: Counter, Labels: with("reason"), Unit: "values or records", Group: groupGuards,
		Help: "What guards left out of profiles: features, classes, vectors, late, early or repeated.",
	}
	seriesDropped = &Metric{
		Name: "modelwatch_series_left_out", Type: Gauge, Labels: with("reason"), Unit: "features, endpoints or findings", Group: groupGuards,
		Help: "What has no series of its own because the model has too many: features, endpoints or findings.",
	}
)

var catalogue = []*Metric{
	modelInferenceLatencySeconds, modelQPS, httpRequestsTotal, httpRequestsErrorRate,
	inputDataMean, inputDataStdDev, inputDataMeanOffset,
	inferencesTotal, inferenceDuration, timeToFirstToken, tokensTotal,
	accuracy, accuracyEstimate, accuracyEstimateLow, accuracyEstimateHigh, modelScore, labelled,
	features, missingRatio, typeErrorRatio, embeddingDistance, duplicateRatio,
	driftScore, driftThreshold, driftPValue, driftVerdict, driftedFeatures, judgedFeatures,
	baselineInfo, baselineRows, baselineFeatures, baselineCreated, windowRecords, windowEnd,
	statusMetric, findingScore, findingThreshold,
	profileDropped, seriesDropped,
}
