package client_test

import (
	"context"
	"encoding/json"
	"log" //nolint:depguard // An example is read for the client, not for its log.
	"net/http"
	"time"

	"github.com/modelwatch/modelwatch/client"
)

func Example() {
	watch, err := client.New(client.Options{URL: "http://127.0.0.1:9090", Service: "shop"})
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := watch.Close(context.Background()); err != nil {
			log.Print(err)
		}
	}()
	start := time.Now()
	// The model answers here.
	watch.Record(client.Inference{
		Model: "ranker", ModelVersion: "v1.0", Endpoint: "/predict", RequestID: "r1",
		Duration: time.Since(start), StatusCode: http.StatusOK,
		Features:      map[string]any{"age": 34, "city": "Rotterdam"},
		Prediction:    "click",
		Probabilities: map[string]float64{"click": 0.8, "skip": 0.2},
	})
	// Later, when the truth is known.
	watch.Label(client.Label{RequestID: "r1", Label: "skip"})
}

// The model and its tokens are read from a provider's answers.
func ExampleClient_RoundTripper() {
	var watch *client.Client // from New
	provider := &http.Client{Transport: watch.RoundTripper(nil, client.Watch{
		Extract: func(x *client.Exchange, inf *client.Inference) {
			var answer struct {
				Model string
				Usage struct {
					Prompt     int `json:"prompt_tokens"`
					Completion int `json:"completion_tokens"`
				}
			}
			if json.Unmarshal(x.ResponseBody, &answer) == nil {
				inf.Model = answer.Model
				inf.Tokens = client.Tokens{Input: answer.Usage.Prompt, Output: answer.Usage.Completion}
			}
		},
	})}
	_ = provider
}

func ExampleClient_Handler() {
	var watch *client.Client // from New
	predict := http.NotFoundHandler()
	http.Handle("/predict", watch.Handler(predict, client.Watch{Model: "ranker", ModelVersion: "v1.0"}))
}
