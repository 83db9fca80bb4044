/* keys.h - private keys that protect nothing, for test_key.c. */
#pragma once

#define KEY_P256_PKCS8 \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLU0vqFpL9YvcaQkZ\n" \
    "DCLTF+3kJMXO0+qJvGQI3J9B9KahRANCAAS9H2v9+Ap5dkQOK67v3l1jWCykx+Cs\n" \
    "+HEvXadNorKsQjBRvVFhmMiIqpkQv8pGJKl7CRwFAnVneouVzYqobK8i\n" \
    "-----END PRIVATE KEY-----\n"

#define KEY_P521 \
    "-----BEGIN EC PRIVATE KEY-----\n" \
    "MIHcAgEBBEIAzqHax7xkCEA3WJYm/ljdNAsHanpOHOZgz3RVrRLJb172sUvj1oOZ\n" \
    "BHkCl3lR4nXCmL59peOZNcOvHA1MeDF6+x+gBwYFK4EEACOhgYkDgYYABAEs8vQ8\n" \
    "rU7PyCvW9270/2bbkN7+PtlPQcHzlXyZt3KDMwdqiCpOBEewMd79arQx6WlbSj/W\n" \
    "CS0vKwJE3h3RisZGzwGk7jGU+Dsj/hFYA2mQWDGT2EDeuLPSNh3y7uymG8EE/huF\n" \
    "Nr2n80buGSKOkI9z/jm2/DWssPdLGy/BBrrrTpdzmA==\n" \
    "-----END EC PRIVATE KEY-----\n"

#define KEY_SECP256K1 \
    "-----BEGIN EC PRIVATE KEY-----\n" \
    "MHQCAQEEIOPJZjWOAboWBmUOen2YWfxQY+/z8WORDzmEC9vHNyVSoAcGBSuBBAAK\n" \
    "oUQDQgAEueusN+vxgvNHQpej7Fyam/s34tJdzMe5+dCHdi9gkOutP4xk127sUYxm\n" \
    "MeHwU9QKMheWuln89Zet7R+YJm9nVg==\n" \
    "-----END EC PRIVATE KEY-----\n"

#define KEY_RSA_1024 \
    "-----BEGIN RSA PRIVATE KEY-----\n" \
    "MIICXAIBAAKBgQC20+BDz12UCuBYNLrTwo9AX9p4buuZNPUGYN+WGAt8QKQcHUyr\n" \
    "1yjSmi+hG8j/PADdraKRMmaAOfbnvhkEXgBnXIS0i4z4EUlDBGiD9XMFo2TsGUGz\n" \
    "8DDb12KfpZBlZxqancksgfkwOy88E5ohVM2/gE/94WKOycDglNqOm0qpyQIDAQAB\n" \
    "AoGANnaJkUm9w7M1v7D9ksWbrP6g801/q6Ul9N9425qQGVScTq+/vlUbGRnLZIAF\n" \
    "cVsrmt311rEf7cTWs5RimXVzQtZSB3JCbZJwd3w5DZHOdHgYfuwjs7/6ZxK7FKOW\n" \
    "b+9f2PkO1YOR2xcmHbHUCA1UihqUNtn4vTdvQgbZpurOpI0CQQDd32YT5yZwTM45\n" \
    "fLknYkQ2xYZLPSAk+OT0YC4UW922BMW0goZyN2eQU5coYkdQ/fUBGO8Bg6De5Ww3\n" \
    "YgKyMT4DAkEA0vMEAmvm8FSxXU37rY8DtxBqh7ZZIbHzl/1TJmaj3EFZKuUHquA1\n" \
    "udszT4949nfgpI5UsohHJbbPvxK+BXslQwJAPUzqzBbyRNbDp5hxI5N/204ps4H4\n" \
    "7p4hy+8C7DcRg6e/5AaoFMiAAZ1Gxy6YG6V+2sXDyzxN5yemBYs7yXXXdwJAVU+C\n" \
    "Z5hLpRYbRKitB9u2nOo+qvPLyBy3btg8MGOCESk8bmSBXVGfaLKFZb+YI9UHPIVz\n" \
    "K2CBpXbxPUzPHFhZEQJBAKZqNugva0Mt0omEHHhzcwPh3qNb4PqjFcTyUQULOBOv\n" \
    "BzZGnScwn8HU00Sd7+yUWvJe2puPHwAHUteTJQFWIXY=\n" \
    "-----END RSA PRIVATE KEY-----\n"

#define KEY_ENCRYPTED \
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" \
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgvhlHEU3gEXAICCAAw\n" \
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEKR20ElBhsSATSc2Ji32+AUEgZDN\n" \
    "oY4bZ1KbL/WnMvd5NPok18cmkIq5M9rxINq8QQBlnX18UnAnA07g4fD7tVE3AXgv\n" \
    "APOv1+VkELRBojC82yS9tJismchA8YKtyRNa28SosMb3aB5URYSfHfWr35GZ2Uo0\n" \
    "1vhg+YNkx/IX0i7H/NeoLHpvCyUoIvihmTOuyxZjvIIHdsNHuLu9XNC7GUlfxuY=\n" \
    "-----END ENCRYPTED PRIVATE KEY-----\n"

#define KEY_MIXED \
    "-----BEGIN EC PRIVATE KEY-----\n" \
    "MHcCAQEEII6gT4xAVRLNAs2NSaDh2N+yu3FetMiYfWAvuY6jjkPQoAoGCCqGSM49\n" \
    "AwEHoUQDQgAEiooiZ6KE7av0lQuXTgDH0r+Yuxu8e+ERu2kMAVIC53fM+sT6AucD\n" \
    "883CDJ3FVi6HgqI5EQmKv5A2nva+Lac3Zg==\n" \
    "-----END EC PRIVATE KEY-----\n"
