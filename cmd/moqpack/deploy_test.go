package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/moqpack/moqpack/internal/config"
)

// documents reads all YAML documents of a file in deploy/.
func documents(t *testing.T, name string) []map[string]any {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for d := yaml.NewDecoder(bytes.NewReader(body)); ; {
		var doc map[string]any
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, doc)
	}
}

// at is what lies at the path in a document; nil if nothing does. A number picks from a list.
func at(doc any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := doc.(map[string]any)
			doc = m[p]
		case int:
			l, _ := doc.([]any)
			if p >= len(l) {
				return nil
			}
			doc = l[p]
		}
	}
	return doc
}

// mustLoad reads a configuration with a value for each of the variables that its process has, and for no others.
func mustLoad(t *testing.T, name, text string, variables map[string]string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(text), func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

func TestComposeRunsTwoPackagersWithAConfigurationThatLoads(t *testing.T) {
	compose := documents(t, "compose.yaml")[0]
	text, err := os.ReadFile("../../deploy/moqpack.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"moqpack-0", "moqpack-1"} {
		variables := map[string]string{}
		env, _ := at(compose, "services", service, "environment").(map[string]any)
		for name, value := range env {
			variables[name], _ = value.(string)
		}
		variables["MOQPACK_RELAY"] = "moqt://relay.example"
		c := mustLoad(t, "moqpack.yaml", string(text), variables)
		if c.Storage.S3.Endpoint != "http://store:7070" || c.Server.HTTP != ":8080" || c.Server.Stale == 0 {
			t.Errorf("%s does not use the store, the port or the threshold that the others expect: %+v", service, c)
		}
		if at(compose, "services", service, "build") == nil || at(compose, "services", service, "volumes", 1) == nil {
			t.Errorf("%s has no image or no disk of its own", service)
		}
	}
	a, b := at(compose, "services", "moqpack-0", "volumes", 1), at(compose, "services", "moqpack-1", "volumes", 1)
	if a == b {
		t.Errorf("both packagers write to %v", a)
	}
}

func TestKubernetesRunsTwoPackagersWithAConfigurationThatLoads(t *testing.T) {
	byKind := map[string]map[string]any{}
	services := map[string]bool{}
	for _, doc := range documents(t, "kubernetes/moqpack.yaml") {
		kind, _ := doc["kind"].(string)
		name, _ := at(doc, "metadata", "name").(string)
		byKind[kind] = doc
		if kind == "Service" {
			services[name] = true
		}
	}
	set := byKind["StatefulSet"]
	pod := at(set, "spec", "template", "spec")
	variables := map[string]string{}
	env, _ := at(pod, "containers", 0, "env").([]any)
	for _, e := range env {
		name, _ := at(e, "name").(string)
		variables[name] = "moqt://relay.example" // what comes from the Secret
		if key, ok := at(e, "valueFrom", "configMapKeyRef", "key").(string); ok {
			value, there := at(byKind["ConfigMap"], "data", key).(string)
			if !there {
				t.Errorf("the ConfigMap has no %s", key)
			}
			variables[name] = value
		}
	}
	text, _ := at(byKind["ConfigMap"], "data", "moqpack.yaml").(string)
	c := mustLoad(t, "kubernetes/moqpack.yaml", text, variables)
	mount, _ := at(pod, "containers", 0, "volumeMounts", 0, "mountPath").(string)
	if !strings.HasPrefix(c.Storage.Disk.Dir, mount+"/") || mount == "" {
		t.Errorf("it records in %s, and its disk is at %q", c.Storage.Disk.Dir, mount)
	}
	for probe, want := range map[string]string{"livenessProbe": "/livez", "readinessProbe": "/readyz", "startupProbe": "/livez"} {
		if got := at(pod, "containers", 0, probe, "httpGet", "path"); got != want {
			t.Errorf("%s asks for %v, want %s", probe, got, want)
		}
	}
	for _, want := range []string{"moqpack", "moqpack-0", "moqpack-1", "moqpack-pods"} {
		if !services[want] {
			t.Errorf("there is no Service %s", want)
		}
	}
	if at(byKind["PodDisruptionBudget"], "spec", "minAvailable") == nil {
		t.Error("there is no disruption budget")
	}
	if at(pod, "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", 0, "topologyKey") != "kubernetes.io/hostname" {
		t.Error("both packagers may run on one machine")
	}
}

// What moqpack.yaml says to set is what the store is called, and the packagers are called what the cache asks, here and in the composition.
func TestTheStoreAndTheCacheFitThePackagers(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	cache, packagers := read("cache.vcl"), documents(t, "kubernetes/moqpack.yaml")
	services := map[string]any{} // ports by name
	for _, doc := range append(packagers, documents(t, "kubernetes/store-and-cache.yaml")...) {
		name, _ := at(doc, "metadata", "name").(string)
		switch doc["kind"] {
		case "Service":
			services[name] = at(doc, "spec", "ports", 0, "port")
		case "StatefulSet", "Deployment":
			if selects, labels := at(doc, "spec", "selector", "matchLabels", "app"), at(doc, "spec", "template", "metadata", "labels", "app"); selects != name || labels != name {
				t.Errorf("%s selects %v and is labelled %v", name, selects, labels)
			}
			for _, probe := range []string{"livenessProbe", "readinessProbe"} {
				if at(doc, "spec", "template", "spec", "containers", 0, probe) == nil {
					t.Errorf("%s has no %s", name, probe)
				}
			}
		}
	}
	for _, name := range []string{"moqpack-0", "moqpack-1"} {
		if !strings.Contains(cache, `.host = "`+name+`"`) || services[name] == nil || at(documents(t, "compose.yaml")[0], "services", name) == nil {
			t.Errorf("the cache, the manifests and the composition do not all know %s", name)
		}
	}
	if want := fmt.Sprintf("s3://moqpack/live, http://moqpack-store:%v and us-east-1", services["moqpack-store"]); !strings.Contains(read("kubernetes/moqpack.yaml"), want) {
		t.Errorf("nobody says %q", want)
	}
	if services["moqpack-cache"] == nil {
		t.Error("there is no Service for viewers")
	}
}

func TestTheExampleOfTheReadmeLoads(t *testing.T) {
	body, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(body), "```yaml\n")
	text, _, _ := strings.Cut(after, "```")
	if c := mustLoad(t, "README.md", text, map[string]string{"TOKEN": "x"}); len(c.Channels) != 2 {
		t.Errorf("it has %d channels", len(c.Channels))
	}
}
