// The namespace and its topology, as src/application/messaging/topology.ts declares it (bus.json is printed from there), and who
// may send and receive what: one topic or one subscription at a time. Nobody owns data, and no key opens anything.
param name string
param location string
param messagingUnits int
param topics array
param subscriptions array
param senders array
param receivers array
param services array
param principals array
param readers array
param endpointSubnetId string
param zoneId string
param logWorkspaceId string

var dataSender = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39')
var dataReceiver = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0')
var topicNames = map(topics, each => each.name)
var subscriptionNames = map(subscriptions, each => '${each.topic}/${each.name}')

resource namespace 'Microsoft.ServiceBus/namespaces@2022-10-01-preview' = {
  name: name
  location: location
  sku: {
    name: 'Premium'
    tier: 'Premium'
    capacity: messagingUnits
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: 'Disabled'
    zoneRedundant: true
  }
}

resource topic 'Microsoft.ServiceBus/namespaces/topics@2022-10-01-preview' = [for each in topics: {
  parent: namespace
  name: each.name
  properties: {
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: each.duplicateDetection
    defaultMessageTimeToLive: each.timeToLive
    enablePartitioning: false
  }
}]

resource subscription 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2022-10-01-preview' = [for each in subscriptions: {
  name: '${name}/${each.topic}/${each.name}'
  dependsOn: [topic]
  properties: {
    lockDuration: each.lock
    maxDeliveryCount: each.deliveriesMax
    requiresSession: false
  }
}]

// The service makes a rule of this name that lets everything in; a template can overwrite it and not take it away.
resource filter 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2022-10-01-preview' = [for (each, index) in subscriptions: {
  parent: subscription[index]
  name: '$Default'
  properties: {
    filterType: 'SqlFilter'
    sqlFilter: {
      sqlExpression: each.filter
    }
  }
}]

resource sending 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for each in senders: {
  name: guid(namespace.id, each.service, 'sends', each.topic)
  scope: topic[indexOf(topicNames, each.topic)]
  properties: {
    roleDefinitionId: dataSender
    principalId: principals[indexOf(services, each.service)]
    principalType: 'ServicePrincipal'
  }
}]

resource receiving 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for each in receivers: {
  name: guid(namespace.id, each.service, 'receives', each.topic, each.subscription)
  scope: subscription[indexOf(subscriptionNames, '${each.topic}/${each.subscription}')]
  properties: {
    roleDefinitionId: dataReceiver
    principalId: principals[indexOf(services, each.service)]
    principalType: 'ServicePrincipal'
  }
}]

@description('Reads how topics and subscriptions are made and how many messages they hold; no message itself.')
resource topologyReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, name, 'topology-reader')
  properties: {
    roleName: '${name} topology reader'
    description: 'Reads the topology of the Service Bus namespace ${name}, and no message.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: [
          'Microsoft.ServiceBus/namespaces/read'
          'Microsoft.ServiceBus/namespaces/topics/read'
          'Microsoft.ServiceBus/namespaces/topics/subscriptions/read'
          'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource reading 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (reader, index) in readers: {
  name: guid(namespace.id, 'reads', string(index))
  scope: namespace
  properties: {
    roleDefinitionId: topologyReader.id
    principalId: reader
    principalType: 'ServicePrincipal'
  }
}]

resource endpoint 'Microsoft.Network/privateEndpoints@2023-11-01' = {
  name: '${name}-bus'
  location: location
  properties: {
    subnet: {
      id: endpointSubnetId
    }
    privateLinkServiceConnections: [
      {
        name: 'bus'
        properties: {
          privateLinkServiceId: namespace.id
          groupIds: ['namespace']
        }
      }
    ]
  }
}

resource endpointNames 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2023-11-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: 'bus'
        properties: {
          privateDnsZoneId: zoneId
        }
      }
    ]
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'datapump'
  scope: namespace
  properties: {
    workspaceId: logWorkspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}
