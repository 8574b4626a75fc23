package catalog

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Date layouts of AWS Signature Version 4.
const (
	awsTimeLayout = "20060102T150405Z"
	awsDateLayout = "20060102"
)

// evalAWSSigV4 computes an Authorization header of AWS Signature Version 4
// ("Create a signed AWS API request", IAM user guide). Signed are the method,
// path, query, the body's digest and the headers host and x-amz-date, and
// content-type when the caller set one. The request must carry x-amz-date with
// the same moment, which ${now:YYYYMMDDTHHmmss[Z]} in the same set is.
func evalAWSSigV4(x *expansion, args []string) (string, error) {
	req, ok := x.request()
	if !ok || req.URL == nil {
		return "", errors.New("there is no request to sign here")
	}
	keyID, secret, region, service := args[0], args[1], args[2], args[3]
	host := service + ".amazonaws.com"
	if len(args) == 5 {
		host = args[4]
	}
	now := x.moment().UTC()
	stamp, date := now.Format(awsTimeLayout), now.Format(awsDateLayout)

	headers, signed := "host:"+host+"\nx-amz-date:"+stamp+"\n", "host;x-amz-date"
	if req.ContentType != "" {
		headers = "content-type:" + strings.Join(strings.Fields(req.ContentType), " ") + "\n" + headers
		signed = "content-type;" + signed
	}
	path := req.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	if service != "s3" {
		path = escapePath(path)
	}
	bodyHash := sha256.Sum256(req.Body)
	canonical := strings.Join([]string{
		strings.ToUpper(req.Method), path, canonicalQuery(req.URL.RawQuery), headers, signed, hex.EncodeToString(bodyHash[:]),
	}, "\n")

	credentialScope := strings.Join([]string{date, region, service, "aws4_request"}, "/")
	requestHash := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, credentialScope, hex.EncodeToString(requestHash[:])}, "\n")

	key := []byte("AWS4" + secret)
	for _, part := range []string{date, region, service, "aws4_request", toSign} {
		key = hmacSHA256(key, part)
	}
	return fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x", keyID, credentialScope, signed, key), nil
}

func hmacSHA256(key []byte, message string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}
