// An identity for each service, which its service account alone may take on. No secret exists for any of them.
param name string
param location string
param services array
param clusterIssuer string
param clusterNamespace string
param kedaServiceAccount string

var audience = 'api://AzureADTokenExchange'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = [for service in services: {
  name: '${name}-${service}'
  location: location
}]

resource federation 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = [for (service, index) in services: {
  parent: identity[index]
  name: 'cluster'
  properties: {
    issuer: clusterIssuer
    subject: 'system:serviceaccount:${clusterNamespace}:datapump-${service}'
    audiences: [audience]
  }
}]

@description('As whom KEDA looks how many messages wait.')
resource scaling 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-scaling'
  location: location
}

resource scalingFederation 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {
  parent: scaling
  name: 'keda'
  properties: {
    issuer: clusterIssuer
    subject: 'system:serviceaccount:${kedaServiceAccount}'
    audiences: [audience]
  }
}

@description('As whom CSI fetches the certificates for any of the pods.')
resource certificates 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-certificates'
  location: location
}

// One after the other: an identity takes one change at a time.
@batchSize(1)
resource certificatesFederation 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = [for service in services: {
  parent: certificates
  name: service
  properties: {
    issuer: clusterIssuer
    subject: 'system:serviceaccount:${clusterNamespace}:datapump-${service}'
    audiences: [audience]
  }
}]

@description('In the order of the services.')
output principals array = [for (service, index) in services: identity[index].properties.principalId]
output scalingPrincipal string = scaling.properties.principalId
output certificatesPrincipal string = certificates.properties.principalId
output setUpPrincipal string = identity[indexOf(services, 'set-up')].properties.principalId
output clients array = [for (service, index) in services: {
  service: service
  clientId: identity[index].properties.clientId
}]
output scalingClient string = scaling.properties.clientId
output certificatesClient string = certificates.properties.clientId
