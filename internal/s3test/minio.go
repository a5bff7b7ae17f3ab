package s3test

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Key is the name of the only key in the key management of MinIO.
const Key = "moqpack-key"

// Domain is what MinIO takes the bucket's name in front of; it has no address anywhere.
const Domain = "s3.moqpack.test"

// StartMinIO starts MinIO with one empty bucket, which ends with the test: it has roles, sessions that can be revoked, encryption and
// storage classes, which versitygw has not. It takes minutes to build, so that is not done here: without MOQPACK_TEST_MINIO,
// the path of it, the test is skipped. Variables change its environment.
func StartMinIO(t testing.TB, bucket string, variables ...string) *Server {
	t.Helper()
	path := os.Getenv("MOQPACK_TEST_MINIO")
	if path == "" {
		t.Skip("!!!! NOT TESTED: there is no MinIO: name its binary with MOQPACK_TEST_MINIO, as .ci/run does")
	}
	home := t.TempDir()
	return start(t, bucket, "/minio/health/cluster", func(s *Server) *exec.Cmd {
		cmd := exec.Command(path, "server", "--quiet", "--address", s.addr, s.Data)
		cmd.Env = append([]string{
			"MINIO_ROOT_USER=" + s.Access, "MINIO_ROOT_PASSWORD=" + s.Secret, "HOME=" + home, "MINIO_DOMAIN=" + Domain, "MINIO_BROWSER=off", "MINIO_SITE_REGION=us-east-1",
			"MINIO_KMS_SECRET_KEY=" + Key + ":" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")),
		}, variables...)
		return cmd
	})
}

// Session is what a role's credentials are at MinIO: they live for an hour, and may do what policy allows.
type Session struct {
	Access string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
	Secret string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
	Token  string `xml:"AssumeRoleResult>Credentials>SessionToken"`
}

// Session begins a session.
func (s *Server) Session(policy string) (session Session) {
	s.t.Helper()
	text := s.ask("sts", "", "--data", "Action=AssumeRole", "--data", "Version=2011-06-15", "--data-urlencode", "Policy="+policy)
	if err := xml.Unmarshal(text, &session); err != nil || session.Token == "" {
		s.t.Fatalf("s3test: no session: %v: %s", err, text)
	}
	return session
}

// Allow is a policy that allows these actions, and no other.
func Allow(actions ...string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[%s],"Resource":["arn:aws:s3:::*"]}]}`,
		`"`+strings.Join(actions, `","`)+`"`)
}

// Revoke ends all sessions.
func (s *Server) Revoke() {
	s.t.Helper()
	const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // the SHA-256 of no body
	s.ask("s3", "/minio/admin/v3/revoke-tokens/builtin?fullRevoke=true", "--request", "POST", "--header", "x-amz-content-sha256: "+nothing)
}

// ask sends a signed request of an API that no bucket needs.
func (s *Server) ask(service, path string, arguments ...string) []byte {
	s.t.Helper()
	arguments = append(arguments, "--silent", "--show-error", "--fail-with-body", "--max-time", "20", "--aws-sigv4", "aws:amz:us-east-1:"+service,
		"--user", s.Access+":"+s.Secret, s.Endpoint+path)
	text, err := exec.CommandContext(s.t.Context(), "curl", arguments...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("s3test: %v: %s", err, text)
	}
	return text
}
