// go run clients/examples/hello.go http://127.0.0.1:8080
package main

import ("encoding/json"; "fmt"; "net/http"; "os"; "strings")

func main() {
	body := `{"x": [[1, 2], [3, 4]], "w": [[0.5], [-1]], "b": [10]}`
	answer, err := http.Post(os.Args[1]+"/affine/forward", "application/json", strings.NewReader(body))
	if err != nil { panic(err) }
	var got struct { Out [][]float64; Cache, Detail string }
	if err = json.NewDecoder(answer.Body).Decode(&got); err != nil { panic(err) }
	if got.Detail != "" { panic(got.Detail) }
	fmt.Println(got.Out)
}
